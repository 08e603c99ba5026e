variable "cloud" {
  description = "Directory that stands for the cloud."
  type        = string
}

variable "environment" {
  description = "Environment the database belongs to, such as prod."
  type        = string
}

variable "name" {
  description = "The database's name, which is its owner's name too."
  type        = string
}

variable "engine_version" {
  description = "PostgreSQL version, such as 15.4. Another version replaces the database."
  type        = string
}

variable "storage_gb" {
  description = "Storage in GB."
  type        = number
  default     = 20
}

variable "backup_days" {
  description = "How many days backups are kept, 1 to 35. There is no default: somebody has to choose."
  type        = number

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "Backups are kept 1 to 35 days."
  }
}

variable "shards" {
  description = "Memory in MB and most connections of each shard, by its name. They change in place."
  type = map(object({
    memory_mb       = number
    max_connections = number
  }))
  default = {}
}

variable "network_id" {
  description = "Network the database is in. Another network replaces the database."
  type        = string
}

variable "password" {
  description = "The owner's password."
  type        = string
  sensitive   = true
}
