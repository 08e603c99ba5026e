variable "cloud" {
  description = "Directory that stands for the cloud."
  type        = string
}

variable "environment" {
  description = "Environment the service belongs to, such as prod."
  type        = string
}

variable "name" {
  description = "The service's name."
  type        = string
}

variable "image_tag" {
  description = "Tag of the service's image. Another tag replaces the replicas."
  type        = string
}

variable "replicas" {
  description = "How many of it run, 1 to 20."
  type        = number
  default     = 1

  validation {
    condition     = var.replicas >= 1 && var.replicas <= 20
    error_message = "A service runs 1 to 20 times."
  }
}

variable "network_id" {
  description = "Network the service is in."
  type        = string
}

variable "api_token" {
  description = "Token the service calls others with. Another token replaces the replicas."
  type        = string
  sensitive   = true
}
