// Any bytes go in as a config.json. What is refused is refused as a bad file, at a place. What is
// read keeps its bytes when nothing is changed, can lose and regain a key, says the same model when
// it is written anew, and has a table of weights that slices into itself.

#include "engine/base/error.h"
#include "plugins/lm/config/config_file.h"
#include "plugins/lm/config/loadable.h"
#include "plugins/lm/config/new_config.h"
#include "plugins/lm/config/rope.h"
#include "plugins/lm/weights/counts.h"
#include "plugins/lm/weights/loads_in.h"
#include "plugins/lm/weights/slice.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace {

using namespace stillroom;
using namespace stillroom::lm;

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

void check_text(const std::string& input) {
    ConfigText text = ConfigText::parse(input, "config.json");
    ConfigPath path{"\x01 a key that no file has"};
    text.set(path, "[1e-06]");
    const ConfigValue* added = text.find(path);
    require(added && added->is_list() && added->items.size() == 1, "a new key is there");
    text.set(path, "\"other\"");
    require(text.find(path)->string == "other", "a value that is replaced is there");
    text.remove(path);
    require(!text.find(path), "a removed key is gone");
    bool was_empty = text.root().members.empty();
    require(was_empty || text.text() == input, "adding and removing a key changes nothing");
}

void check_table(const ModelConfig& model) {
    Counts counts = count(weight_table(model));
    require(counts.embedding > 0 && counts.embedding < counts.total, "counts fit 63 bits");
    require(weight_bytes(weight_table(model), 32) == 4 * counts.total, "bytes fit 63 bits");
    for (const Slice& slice : slices(model, whole(model)))
        require(slice.is_whole, "a cut of nothing takes all");
    for (const LoadsIn& runtime : loads_in(model))
        require(runtime.loads || !runtime.note.empty(), "a refusal has a reason");
    const Rope& rope = model.layers[0].attention->rope;
    require(inverse_frequencies(rope).size() == static_cast<std::size_t>(rope.rotary_dim / 2),
            "a frequency for each pair");
}

void check_model(ConfigFile file) {
    ModelConfig model = file.model();
    std::string before = file.text();
    try {
        file.express(model);
        require(file.text() == before, "nothing changed, no byte changed");
        ModelConfig again = ConfigFile::parse(config_json(model), "config.json").model();
        require(again == model, "written anew it is the same model");
    } catch (const Error& error) {
        require(error.exit_code() == kExitUsage, "what cannot be said is a usage error");
    }
    file.drop_hooks();
    require(file.hooks().empty(), "no hook is left");
    require(file.model() == model, "hooks change no model");
    if (model.layers.size() <= 16)
        check_table(model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string input(reinterpret_cast<const char*>(data), size);
    try {
        check_text(input);
        check_model(ConfigFile::parse(input, "config.json"));
    } catch (const Error& error) {
        require(error.exit_code() == kExitBadInput, "a bad file is exit 3");
        require(error.where().line > 0, "a refusal has a place");
    }
    return 0;
}
