// The tensors that transformers makes for a config.json, against the table's:
// tests/reference/config/make.py.
#include "engine/base/files.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/lm/weights/weight_table.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

TEST_CASE("transformers has the same tensors, shapes and parameters") {
    ConfigText all = ConfigText::parse(
        read_file(STILLROOM_REFERENCE "/config/configs.json", 1 << 20), "configs.json");
    const std::vector<ConfigValue>& cases = all.root().find("cases")->items;
    CHECK(cases.size() > 100);
    for (const ConfigValue& wanted : cases) {
        CAPTURE(wanted.find("name")->string);
        const ConfigValue& text = *wanted.find("old");
        ConfigFile file =
            ConfigFile::parse(all.text().substr(text.begin, text.end - text.begin), "config.json");
        WeightTable table = weight_table(file.model());
        CHECK(count(table).total == wanted.find("parameters")->integer);
        const ConfigValue& tensors = *wanted.find("tensors");
        std::size_t first_or_none = 0;
        for (const Weight& weight : table) {
            first_or_none += weight.layer <= 0;
            if (weight.layer > 0)
                continue;
            const ConfigValue* shape = tensors.find(weight.name);
            REQUIRE_MESSAGE(shape, weight.name);
            Shape expected;
            for (const ConfigValue& size : shape->items)
                expected.push_back(size.integer);
            CHECK(weight.shape() == expected);
        }
        CHECK(first_or_none == tensors.members.size());
    }
}

}  // namespace
}  // namespace stillroom::lm
