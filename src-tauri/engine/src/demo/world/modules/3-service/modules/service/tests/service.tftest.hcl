variables {
  cloud       = ".test-cloud/service"
  environment = "test"
  name        = "web"
  image_tag   = "1.0.0"
  replicas    = 2
  network_id  = "test-network"
  api_token   = "not a secret"
}

run "makes_every_replica" {
  assert {
    condition     = length(fileset(var.cloud, "replicas/*.json")) == 2
    error_message = "There are not two replicas in the cloud."
  }

  assert {
    condition     = jsondecode(file("${var.cloud}/replicas/02.json")).image == "registry.demo.invalid/web:1.0.0"
    error_message = "A replica does not run the image that was asked for."
  }
}

run "removes_one_and_keeps_the_other" {
  variables {
    replicas = 1
  }

  assert {
    condition     = fileset(var.cloud, "replicas/*.json") == toset(["replicas/01.json"])
    error_message = "Another replica than the last was removed."
  }
}

run "refuses_a_service_that_does_not_run" {
  command = plan

  variables {
    replicas = 0
  }

  expect_failures = [var.replicas]
}

run "example" {
  module {
    source = "./examples/basic"
  }

  variables {
    cloud = ".test-cloud/service-example"
  }

  assert {
    condition     = fileexists("${var.cloud}/service.json")
    error_message = "The example does not make its service."
  }
}
