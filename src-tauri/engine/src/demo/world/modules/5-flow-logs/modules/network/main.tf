terraform {
  required_version = ">= 1.6"
}

module "naming" {
  source      = "../naming"
  environment = var.environment
  name        = "network"
}

# An address range cannot be changed in place: another one is another network.
resource "terraform_data" "network" {
  input            = { name = module.naming.full_name, file = "${var.cloud}/network.json" }
  triggers_replace = { cidr = var.cidr }

  provisioner "local-exec" {
    command = "mkdir -p \"$(dirname \"$FILE\")\" && printf '%s\\n' \"$CONTENT\" > \"$FILE\""
    environment = {
      FILE    = self.input.file
      CONTENT = jsonencode({ id = self.id, name = self.input.name, cidr = var.cidr, labels = module.naming.labels })
    }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "rm -f \"$FILE\""
    environment = { FILE = self.input.file }
  }
}

resource "terraform_data" "subnet" {
  for_each         = var.subnets
  input            = { name = each.key, file = "${var.cloud}/subnets/${each.key}.json" }
  triggers_replace = { cidr = each.value, network = terraform_data.network.id }

  provisioner "local-exec" {
    command = "mkdir -p \"$(dirname \"$FILE\")\" && printf '%s\\n' \"$CONTENT\" > \"$FILE\""
    environment = {
      FILE    = self.input.file
      CONTENT = jsonencode({ id = self.id, name = self.input.name, cidr = each.value })
    }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "rm -f \"$FILE\" && { rmdir \"$(dirname \"$FILE\")\" 2>/dev/null || true; }"
    environment = { FILE = self.input.file }
  }
}

resource "terraform_data" "flow_logs" {
  count            = var.flow_log_days > 0 ? 1 : 0
  input            = { days = var.flow_log_days, file = "${var.cloud}/flow-logs.json" }
  triggers_replace = { network = terraform_data.network.id }

  provisioner "local-exec" {
    command = "mkdir -p \"$(dirname \"$FILE\")\" && printf '%s\\n' \"$CONTENT\" > \"$FILE\""
    environment = {
      FILE    = self.input.file
      CONTENT = jsonencode({ id = self.id, network = terraform_data.network.id })
    }
  }

  provisioner "local-exec" {
    when        = destroy
    command     = "rm -f \"$FILE\""
    environment = { FILE = self.input.file }
  }
}

# The key stands in triggers_replace and not in input: terraform_data copies its input to its output, and does not mark the
# copy as sensitive.
resource "terraform_data" "transit" {
  input            = { peer = "office", network = terraform_data.network.id }
  triggers_replace = { key = var.transit_key }
}
