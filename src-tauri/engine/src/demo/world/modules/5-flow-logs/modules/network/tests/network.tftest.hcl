variables {
  cloud       = ".test-cloud/network"
  environment = "test"
  cidr        = "10.8.0.0/16"
  subnets     = { web = "10.8.1.0/24", data = "10.8.2.0/24" }
  transit_key = "not a secret"
}

run "makes_the_network_and_its_subnets" {
  assert {
    condition     = jsondecode(file("${var.cloud}/network.json")).cidr == "10.8.0.0/16"
    error_message = "The network is not in the cloud with the addresses that were asked for."
  }

  assert {
    condition     = jsondecode(file("${var.cloud}/subnets/web.json")).id == output.subnet_ids["web"]
    error_message = "The web subnet is not in the cloud."
  }
}

run "removes_a_subnet" {
  variables {
    subnets = { web = "10.8.1.0/24" }
  }

  assert {
    condition     = !fileexists("${var.cloud}/subnets/data.json")
    error_message = "The subnet that is no longer asked for is still in the cloud."
  }
}

run "keeps_flow_logs_on_request" {
  variables {
    flow_log_days = 30
  }

  assert {
    condition     = jsondecode(file("${var.cloud}/flow-logs.json")).network == output.network_id
    error_message = "There are no flow logs of this network."
  }
}

run "refuses_what_is_no_address_range" {
  command = plan

  variables {
    cidr = "10.8.0.0/99"
  }

  expect_failures = [var.cidr]
}

run "example" {
  module {
    source = "./examples/basic"
  }

  variables {
    cloud = ".test-cloud/network-example"
  }

  assert {
    condition     = fileexists("${var.cloud}/subnets/data.json")
    error_message = "The example does not make its subnets."
  }
}
