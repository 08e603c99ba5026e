terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/dev/orders-db.tfstate"
  }
}

data "terraform_remote_state" "network" {
  backend = "local"

  config = {
    path = "{{state}}/dev/network.tfstate"
  }
}

locals {
  secrets = jsondecode(file("{{secrets}}/dev.json"))

  shards = {
    for number in range(2) : format("orders-%02d", number + 1) => {
      memory_mb       = 512
      max_connections = 50
    }
  }
}

module "orders" {
  source = "git::{{modules}}//modules/database?ref=v2.0.0"

  cloud          = "{{cloud}}/dev/orders-db"
  environment    = "dev"
  name           = "orders"
  engine_version = "16.3"
  storage_gb     = 20
  backup_days    = 1
  shards         = local.shards
  network_id     = data.terraform_remote_state.network.outputs.network_id
  password       = sensitive(local.secrets.orders_password)
}

output "address" {
  description = "Where the orders database answers."
  value       = module.orders.address
}

output "connection" {
  description = "Connection string with the password."
  value       = module.orders.connection
  sensitive   = true
}
