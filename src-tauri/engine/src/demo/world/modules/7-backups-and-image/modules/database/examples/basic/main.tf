variable "cloud" {
  description = "Directory that stands for the cloud."
  type        = string
  default     = ".test-cloud/database"
}

module "database" {
  source         = "../.."
  cloud          = var.cloud
  environment    = "example"
  name           = "orders"
  engine_version = "15.4"
  backup_days    = 1
  network_id     = "example-network"
  password       = "an example, no secret"
}

output "address" {
  value = module.database.address
}
