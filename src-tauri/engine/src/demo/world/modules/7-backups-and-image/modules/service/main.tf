terraform {
  required_version = ">= 1.6"
}

module "naming" {
  source      = "../naming"
  environment = var.environment
  name        = var.name
}

resource "terraform_data" "service" {
  input            = { name = module.naming.full_name, replicas = var.replicas, file = "${var.cloud}/service.json" }
  triggers_replace = { network = var.network_id }

  provisioner "local-exec" {
    command = "mkdir -p \"$(dirname \"$FILE\")\" && printf '%s\\n' \"$CONTENT\" > \"$FILE\""
    environment = {
      FILE    = self.input.file
      CONTENT = jsonencode({ id = self.id, name = self.input.name, network = var.network_id, labels = module.naming.labels })
    }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "rm -f \"$FILE\""
    environment = { FILE = self.input.file }
  }
}

# A replica reads its token when it starts. The token stands in triggers_replace and not in input: terraform_data copies its
# input to its output, and does not mark the copy as sensitive.
resource "terraform_data" "replica" {
  for_each         = toset([for number in range(var.replicas) : format("%02d", number + 1)])
  input            = { name = "${module.naming.full_name}-${each.key}", file = "${var.cloud}/replicas/${each.key}.json" }
  triggers_replace = { image = var.image, service = terraform_data.service.id, api_token = var.api_token }

  provisioner "local-exec" {
    command = "mkdir -p \"$(dirname \"$FILE\")\" && printf '%s\\n' \"$CONTENT\" > \"$FILE\""
    environment = {
      FILE    = self.input.file
      CONTENT = jsonencode({ id = self.id, name = self.input.name, image = var.image })
    }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "rm -f \"$FILE\" && { rmdir \"$(dirname \"$FILE\")\" 2>/dev/null || true; }"
    environment = { FILE = self.input.file }
  }
}
