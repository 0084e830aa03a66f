#include "tests/plugins/toy/big.h"

#include "engine/plugin/output_file.h"

namespace stillroom::toy {
namespace {

/// Not a power of two, so that no two chunks of a file are the same.
std::string pattern() {
    std::string out;
    for (int i = 0; i < 65521; ++i)
        out += static_cast<char>(i % 251);
    return out;
}

}  // namespace

void Big::describe(DescribeContext& context) const {
    write_size(context.output("data"), settings_.bytes * settings_.files);
    Cost cost;
    cost.disk_bytes = static_cast<std::uint64_t>(settings_.bytes * settings_.files);
    context.cost(cost);
}

void Big::run(RunContext& context) {
    std::string piece = pattern();
    for (std::int64_t i = 0; i < settings_.files; ++i) {
        OutputFile file(context, context.output("data") / ("data-" + std::to_string(i) + ".bin"));
        while (file.size() < static_cast<std::uint64_t>(settings_.bytes)) {
            if (context.cancelled())
                return;
            auto left = static_cast<std::uint64_t>(settings_.bytes) - file.size();
            file.write(std::string_view(piece).substr(0, left));
        }
        file.close();
        context.progress(static_cast<double>(i + 1) / static_cast<double>(settings_.files),
                         "writing");
    }
    write_size(context.output("data"), settings_.bytes * settings_.files);
}

}  // namespace stillroom::toy
