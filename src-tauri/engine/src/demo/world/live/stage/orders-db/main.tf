terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/stage/orders-db.tfstate"
  }
}

data "terraform_remote_state" "network" {
  backend = "local"

  config = {
    path = "{{state}}/stage/network.tfstate"
  }
}

locals {
  secrets = jsondecode(file("{{secrets}}/stage.json"))

  shards = {
    for number in range(4) : format("orders-%02d", number + 1) => {
      memory_mb       = 1024
      max_connections = 100
    }
  }
}

module "orders" {
  source = "git::{{modules}}//modules/database?ref=v1.1.0"

  cloud          = "{{cloud}}/stage/orders-db"
  environment    = "stage"
  name           = "orders"
  engine_version = "16.3"
  storage_gb     = 50
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
