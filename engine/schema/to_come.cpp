#include "engine/schema/to_come.h"

#include "engine/base/files.h"
#include "engine/base/text.h"

namespace stillroom {

std::set<std::string, std::less<>> stages_to_come(
    const std::vector<std::filesystem::path>& schema_folders) {
    constexpr std::size_t kLongest = 1 << 16;
    std::set<std::string, std::less<>> names;
    for (const std::filesystem::path& folder : schema_folders) {
        std::filesystem::path file = folder / "to-come.txt";
        if (!std::filesystem::exists(file))
            continue;
        for (const std::string& line : split(read_file(file, kLongest), '\n')) {
            std::string_view name = trim(std::string_view(line).substr(0, line.find('#')));
            if (!name.empty())
                names.emplace(name);
        }
    }
    return names;
}

}  // namespace stillroom
