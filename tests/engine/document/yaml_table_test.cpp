#include "tests/engine/document/table.h"

#include <doctest/doctest.h>

using namespace stillroom::test;

TEST_CASE("every YAML input of the table comes out as the table says") {
    CHECK(check_table("yaml.txt", outcome_of_yaml) > 200);
}

TEST_CASE("every JSON input of the table comes out as the table says") {
    CHECK(check_table("json.txt", outcome_of_json) > 50);
}
