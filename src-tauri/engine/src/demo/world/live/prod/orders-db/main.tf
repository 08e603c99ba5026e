terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/prod/orders-db.tfstate"
  }
}

data "terraform_remote_state" "network" {
  backend = "local"

  config = {
    path = "{{state}}/prod/network.tfstate"
  }
}

locals {
  secrets = jsondecode(file("{{secrets}}/prod.json"))

  shards = {
    for number in range(50) : format("orders-%02d", number + 1) => {
      memory_mb       = 4096
      max_connections = 200
    }
  }
}

module "orders" {
  source = "git::{{modules}}//modules/database?ref=v1.1.0"

  cloud          = "{{cloud}}/prod/orders-db"
  environment    = "prod"
  name           = "orders"
  engine_version = "15.4"
  storage_gb     = 500
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
