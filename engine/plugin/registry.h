#pragma once

#include "engine/base/api.h"
#include "engine/plugin/settings.h"
#include "engine/plugin/stage.h"

#include <concepts>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A stage whose Settings are made from its schema, with the stage's name as kStage.
template <class T>
concept StageClass = std::derived_from<T, Stage> &&
    requires(const SettingReader& in, typename T::Settings& settings) {
    { T::Settings::kStage } -> std::convertible_to<std::string_view>;
    read_setting(in, settings);
} && std::constructible_from<T, const typename T::Settings&>;

/// The stages of one plugin. A plugin fills it in STILLROOM_PLUGIN, one line a stage.
class STILLROOM_API Registry {
public:
    explicit Registry(std::string plugin) : plugin_(std::move(plugin)) {}

    /// Throws Error (exit 10) for a stage of another plugin's name, or added twice.
    template <StageClass T>
    void add() {
        add_maker(T::Settings::kStage, [](const Json& settings) -> std::unique_ptr<Stage> {
            return std::make_unique<T>(settings_of<typename T::Settings>(settings));
        });
    }

    std::vector<std::string> stages() const;  ///< sorted
    bool has(std::string_view stage) const { return makers_.contains(stage); }

    /// Throws Error (exit 10) if there is no such stage, or if the settings are not of its schema.
    std::unique_ptr<Stage> make(std::string_view stage, const Json& settings) const;

private:
    using Maker = std::unique_ptr<Stage> (*)(const Json& settings);
    void add_maker(std::string_view stage, Maker maker);

    std::string plugin_;
    std::map<std::string, Maker, std::less<>> makers_;
};

}  // namespace stillroom
