#include "engine/recipe/lock_file.h"

#include "engine/base/error.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

using namespace stillroom;

namespace {

std::string reading(const TemporaryFolder& folder, std::string_view text) {
    try {
        read_lock(folder.write("recipe.lock", text));
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitIntegrity);
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a lock reads back as it was written, sorted, one block an item") {
    TemporaryFolder folder;
    Lock lock;
    lock.put({"recipe", "b.yaml", {{"value", "2"}, {"bytes", "1"}}});
    lock.put({"engine", "stillroom", {{"version", "0.1.0"}}});
    lock.put({"recipe", "a \"quoted\".yaml", {{"bytes", "0123"}}});
    lock.put({"recipe", "b.yaml", {{"bytes", "3"}}});
    std::string text = lock_text(lock);
    CHECK(text ==
          "# Written by `stillroom lock`; `stillroom run --locked` refuses what differs.\n"
          "\n- engine: \"stillroom\"\n  version: \"0.1.0\"\n"
          "\n- recipe: \"a \\\"quoted\\\".yaml\"\n  bytes: \"0123\"\n"
          "\n- recipe: \"b.yaml\"\n  bytes: \"3\"\n");
    CHECK(read_lock(folder.write("recipe.lock", text)).items == lock.items);
    CHECK(read_lock(folder.write("recipe.lock", lock_text({}))).items.empty());
}

TEST_CASE("the order of putting does not show") {
    Lock one, two;
    one.put({"a", "x", {}}), one.put({"a", "y", {}}), one.put({"b", "w", {}});
    two.put({"b", "w", {}}), two.put({"a", "y", {}}), two.put({"a", "x", {}});
    CHECK(lock_text(one) == lock_text(two));
}

TEST_CASE("what is no lock is refused with 9, whatever it is") {
    TemporaryFolder folder;
    for (const char* text : {"",
                             "a: 1\n",
                             "- 1\n",
                             "- {}\n",
                             "- {recipe: [a]}\n",
                             "- {recipe: a}\n- {recipe: a}\n",
                             "<<<<<<< ours\n- {recipe: a}\n"})
        CHECK(reading(folder, text) != "");
}

TEST_CASE("pins are those of the remote items") {
    TemporaryFolder folder;
    CHECK(read_remote_pins(folder.path() / "recipe.lock").empty());
    auto file = folder.write(
        "recipe.lock",
        "- remote: https://a/b.yaml\n  bytes: \"12\"\n- recipe: c.yaml\n  bytes: \"34\"\n");
    CHECK(read_remote_pins(file) == std::map<std::string, std::string>{{"https://a/b.yaml", "12"}});
}
