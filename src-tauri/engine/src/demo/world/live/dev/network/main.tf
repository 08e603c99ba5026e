terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/dev/network.tfstate"
  }
}

locals {
  secrets = jsondecode(file("{{secrets}}/dev.json"))
}

# addresses: 10.10.0.0/16 is dev. see the wiki
#   web  -> web servers
#   data ->   databases
module "network" {
  source = "git::{{modules}}//modules/network?ref=v2.0.0"

  cloud         = "{{cloud}}/dev/network"
  environment   = "dev"
  address_space = "10.10.0.0/16"
  subnets = {
    web  = "10.10.1.0/24"
    data = "10.10.2.0/24"
  }
  flow_log_days = 7
  transit_key   = sensitive(local.secrets.transit_key)
}

output "network_id" {
  description = "The network's id, for the units inside it."
  value       = module.network.network_id
}

output "subnet_ids" {
  description = "The subnets' ids, by name."
  value       = module.network.subnet_ids
}
