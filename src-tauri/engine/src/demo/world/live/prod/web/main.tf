terraform {
  required_version = ">= 1.6"

  backend "local" {
    path = "{{state}}/prod/web.tfstate"
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
}

module "web" {
  source = "git::{{modules}}//modules/service?ref=v1.0.0"

  cloud       = "{{cloud}}/prod/web"
  environment = "prod"
  name        = "web"
  image_tag   = "2.3.1"
  replicas    = 6
  network_id  = data.terraform_remote_state.network.outputs.network_id
  api_token   = sensitive(local.secrets.web_api_token)
}

output "url" {
  description = "Where the web service answers."
  value       = module.web.url
}
