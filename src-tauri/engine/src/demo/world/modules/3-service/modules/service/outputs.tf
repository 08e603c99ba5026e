output "service_id" {
  description = "The service's id."
  value       = terraform_data.service.id
}

output "url" {
  description = "Where the service answers."
  value       = "https://${module.naming.full_name}.demo.invalid"
}
