terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/prod/network.tfstate"
  }
}

locals {
  secrets = jsondecode(file("{{secrets}}/prod.json"))
}

module "network" {
  source = "git::{{modules}}//modules/network?ref=v1.0.0"

  cloud       = "{{cloud}}/prod/network"
  environment = "prod"
  cidr        = "10.30.0.0/16"
  subnets = {
    web  = "10.30.1.0/24"
    data = "10.30.2.0/24"
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
