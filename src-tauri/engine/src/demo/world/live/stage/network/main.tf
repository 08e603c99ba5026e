terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/stage/network.tfstate"
  }
}

locals {
  secrets = jsondecode(file("{{secrets}}/stage.json"))
}

module "network" {
  source = "git::{{modules}}//modules/network?ref=v1.1.0"

  cloud       = "{{cloud}}/stage/network"
  environment = "stage"
  cidr        = "10.20.0.0/16"
  subnets = {
    web  = "10.20.1.0/24"
    data = "10.20.2.0/24"
  }
  transit_key = sensitive(local.secrets.transit_key)
}

output "network_id" {
  description = "The network's id, for the units inside it."
  value       = module.network.network_id
}

output "subnet_ids" {
  description = "The subnets' ids, by name."
  value       = module.network.subnet_ids
}
