terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/dev/web.tfstate"
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
}

module "web" {
  source = "git::{{modules}}//modules/service?ref=v2.0.0"

  cloud       = "{{cloud}}/dev/web"
  environment = "dev"
  name        = "web"
  image       = "registry.demo.invalid/web:2.4.0"
  replicas    = 1
  network_id  = data.terraform_remote_state.network.outputs.network_id
  api_token   = sensitive(local.secrets.web_api_token)
}

output "url" {
  description = "Where the web service answers."
  value       = module.web.url
}
