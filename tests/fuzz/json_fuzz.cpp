// Any bytes go in. What is read as JSON must be written and read again as the same value; and since
// YAML holds JSON, the YAML reader must refuse the text or agree on it.

#include "engine/base/json.h"
#include "engine/document/document.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace stillroom;
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    const Source& source =
        sources.add("input", std::string(reinterpret_cast<const char*>(data), size));
    Document document = read_json(source, limits, diagnostics);
    require(document.root ? diagnostics.ok() : !diagnostics.ok(), "refused exactly with a reason");
    if (!document.root)
        return 0;
    JsonWriter json;
    write_json(json, *document.root);
    limits.file_bytes = 1 << 30;
    const Source& written = sources.add("written", json.take());
    Document again = read_json(written, limits, diagnostics);
    require(again.root && deep_equal(*document.root, *again.root), "JSON survives writing");
    Diagnostics yaml_diagnostics;
    Document yaml = read_yaml(source, limits, yaml_diagnostics);
    require(!yaml.root || deep_equal(*document.root, *yaml.root), "both readers agree");
    return 0;
}
