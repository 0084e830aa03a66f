#pragma once

#include "engine/plugin/stage.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace stillroom::toy {

/// What all stages of this plugin are: their settings and nothing else.
template <class S>
class ToyStage : public Stage {
public:
    using Settings = S;
    explicit ToyStage(const Settings& settings) : settings_(settings) {}

protected:
    Settings settings_;
};

// An artifact of this plugin: a folder with text.txt, and report.json that counts its bytes. The
// skeleton is report.json alone.
std::string read_text(const std::filesystem::path& folder);
void write_text(const std::filesystem::path& folder, std::string_view text);
/// Nothing where the skeleton does not say.
std::optional<std::int64_t> read_size(const std::filesystem::path& folder);
void write_size(const std::filesystem::path& folder, std::int64_t bytes);

/// Waits; false if it was asked to stop meanwhile.
bool wait(const RunContext& context, double seconds);

}  // namespace stillroom::toy
