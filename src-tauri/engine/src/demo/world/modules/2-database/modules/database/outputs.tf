output "database_id" {
  description = "The database's id."
  value       = terraform_data.database.id
}

output "address" {
  description = "Where the database answers."
  value       = "${module.naming.full_name}.demo.invalid:5432"
}

output "connection" {
  description = "Connection string with the password."
  value       = "postgres://${var.name}:${var.password}@${module.naming.full_name}.demo.invalid:5432/${var.name}"
  sensitive   = true
}
