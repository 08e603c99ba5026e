variable "cloud" {
  description = "Directory that stands for the cloud."
  type        = string
}

variable "environment" {
  description = "Environment the network belongs to, such as prod."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network, such as 10.0.0.0/16."
  type        = string

  validation {
    condition     = can(cidrnetmask(var.cidr))
    error_message = "The network needs an IPv4 range such as 10.0.0.0/16."
  }
}

variable "subnets" {
  description = "Addresses of each subnet, by its name."
  type        = map(string)
}

variable "flow_log_days" {
  description = "How many days flow logs are kept; 0 keeps none."
  type        = number
  default     = 0
}

variable "transit_key" {
  description = "Key shared with the office's end of the tunnel."
  type        = string
  sensitive   = true
}
