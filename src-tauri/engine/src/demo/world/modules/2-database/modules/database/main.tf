terraform {
  required_version = ">= 1.6"
}

module "naming" {
  source      = "../naming"
  environment = var.environment
  name        = var.name
}

# Neither the engine's version nor the network can be changed in place: the database is made anew, empty.
resource "terraform_data" "database" {
  input            = { name = module.naming.full_name, storage_gb = var.storage_gb, file = "${var.cloud}/database.json" }
  triggers_replace = { engine_version = var.engine_version, network = var.network_id }

  provisioner "local-exec" {
    command = "mkdir -p \"$(dirname \"$FILE\")\" && printf '%s\\n' \"$CONTENT\" > \"$FILE\""
    environment = {
      FILE = self.input.file
      CONTENT = jsonencode({
        id             = self.id
        name           = self.input.name
        engine         = "postgres"
        engine_version = var.engine_version
        network        = var.network_id
        labels         = module.naming.labels
      })
    }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "rm -f \"$FILE\""
    environment = { FILE = self.input.file }
  }
}

# The password stands in triggers_replace and not in input: terraform_data copies its input to its output, and does not
# mark the copy as sensitive.
resource "terraform_data" "owner" {
  input            = { user = var.name, database = module.naming.full_name }
  triggers_replace = { password = var.password }
}
