variable "cloud" {
  description = "Directory that stands for the cloud."
  type        = string
  default     = ".test-cloud/network"
}

module "network" {
  source        = "../.."
  cloud         = var.cloud
  environment   = "example"
  address_space = "10.9.0.0/16"
  subnets       = { web = "10.9.1.0/24", data = "10.9.2.0/24" }
  transit_key   = "an example, no secret"
}

output "network_id" {
  value = module.network.network_id
}
