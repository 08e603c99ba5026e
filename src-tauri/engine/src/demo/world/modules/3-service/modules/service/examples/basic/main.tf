variable "cloud" {
  description = "Directory that stands for the cloud."
  type        = string
  default     = ".test-cloud/service"
}

module "service" {
  source      = "../.."
  cloud       = var.cloud
  environment = "example"
  name        = "web"
  image_tag   = "1.0.0"
  network_id  = "example-network"
  api_token   = "an example, no secret"
}

output "url" {
  value = module.service.url
}
