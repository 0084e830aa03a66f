// Adds a stage that belongs to another plugin.
#include "engine/plugin/plugin.h"

namespace {

struct TakenSettings {
    static constexpr std::string_view kStage = "toy.write";
};
void read_setting(const stillroom::SettingReader&, TakenSettings&) {}

struct Taken final : stillroom::Stage {
    using Settings = TakenSettings;
    explicit Taken(const Settings&) {}
    void run(stillroom::RunContext&) override {}
};

}  // namespace

STILLROOM_PLUGIN("strange", "1") {
    registry.add<Taken>();
}
