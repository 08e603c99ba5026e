terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/stage/web.tfstate"
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
}

module "web" {
  source = "git::{{modules}}//modules/service?ref=v2.0.0"

  cloud       = "{{cloud}}/stage/web"
  environment = "stage"
  name        = "web"
  image       = "registry.demo.invalid/web:2.3.1"
  replicas    = 2
  network_id  = data.terraform_remote_state.network.outputs.network_id
  api_token   = sensitive(local.secrets.web_api_token)
}

output "url" {
  description = "Where the web service answers."
  value       = module.web.url
}
