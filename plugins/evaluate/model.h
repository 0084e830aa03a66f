#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/modules/load.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace stillroom::evaluate {

/// A model ready to compute, and on what: `auto` is decided once and stays so when work goes on.
struct Model {
    lm::Loaded loaded;
    std::string device;  ///< "cpu", "cuda", "cuda:N"
    std::string dtype;   ///< "fp32", as settings spell it

    const lm::Decoder& decoder() const { return loaded.decoder; }
};

/// Of the port `model`, or of a folder of another. `narrow`: see lm/modules/load.h.
Model load_model(RunContext& context,
                 std::string_view dtype,
                 lm::Narrow narrow = lm::Narrow::widened);
Model load_model(RunContext& context,
                 const std::filesystem::path& folder,
                 std::string_view dtype,
                 lm::Narrow narrow = lm::Narrow::widened);

/// Thrown out of a loop when the engine asks the stage to stop: run() then returns.
struct Stopped {};

/// `report.json` and `report.md`.
void write_report(const std::filesystem::path& folder,
                  const std::string& json,
                  const std::string& text);

}  // namespace stillroom::evaluate
