output "network_id" {
  description = "The network's id."
  value       = terraform_data.network.id
}

output "subnet_ids" {
  description = "The subnets' ids, by name."
  value       = { for name, subnet in terraform_data.subnet : name => subnet.id }
}
