variables {
  cloud          = ".test-cloud/database"
  environment    = "test"
  name           = "orders"
  engine_version = "15.4"
  network_id     = "test-network"
  password       = "not a secret"
  shards         = { first = { memory_mb = 512, max_connections = 100 } }
}

run "makes_the_database" {
  assert {
    condition     = jsondecode(file("${var.cloud}/database.json")).engine_version == "15.4"
    error_message = "The database is not in the cloud with the version that was asked for."
  }

  assert {
    condition     = output.address == "test-orders.demo.invalid:5432"
    error_message = "The database is not where its name says."
  }
}

run "grows_its_storage_in_place" {
  variables {
    storage_gb = 40
  }

  assert {
    condition     = output.database_id == run.makes_the_database.database_id
    error_message = "More storage replaced the database."
  }
}

run "changes_a_shard_in_place" {
  variables {
    shards = { first = { memory_mb = 1024, max_connections = 100 } }
  }

  assert {
    condition     = output.database_id == run.makes_the_database.database_id
    error_message = "A shard's parameters replaced the database."
  }
}

run "replaces_it_for_another_version" {
  variables {
    engine_version = "16.3"
  }

  assert {
    condition     = output.database_id != run.makes_the_database.database_id
    error_message = "Another version did not replace the database."
  }

  assert {
    condition     = jsondecode(file("${var.cloud}/database.json")).engine_version == "16.3"
    error_message = "The cloud still has the old version."
  }

  assert {
    condition     = jsondecode(file("${var.cloud}/database.json")).parameters.first.memory_mb == 512
    error_message = "The database did not start with the parameters of its shards."
  }
}

run "example" {
  module {
    source = "./examples/basic"
  }

  variables {
    cloud = ".test-cloud/database-example"
  }

  assert {
    condition     = fileexists("${var.cloud}/database.json")
    error_message = "The example does not make its database."
  }
}
