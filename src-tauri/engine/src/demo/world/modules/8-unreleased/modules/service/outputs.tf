output "service_id" {
  description = "The service's id."
  value       = terraform_data.service.id
}

output "replicas" {
  description = "How many of it run."
  value       = length(terraform_data.replica)
}

output "url" {
  description = "Where the service answers."
  value       = "https://${module.naming.full_name}.demo.invalid"
}
