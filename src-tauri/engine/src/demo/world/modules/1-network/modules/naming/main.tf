terraform {
  required_version = ">= 1.6"
}

variable "environment" {
  description = "Environment the thing belongs to, such as prod."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,15}$", var.environment))
    error_message = "An environment is 2 to 16 lowercase letters, digits and dashes, and starts with a letter."
  }
}

variable "name" {
  description = "What the thing is called inside its environment."
  type        = string
}

output "full_name" {
  description = "Name that is unique across environments."
  value       = "${var.environment}-${var.name}"
}

output "labels" {
  description = "Labels that everything made for this name carries."
  value       = { environment = var.environment, name = var.name }
}
