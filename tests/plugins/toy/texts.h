#pragma once

#include "engine/plugin/stage.h"
#include "tests/plugins/toy/join_settings.h"
#include "tests/plugins/toy/upper_settings.h"
#include "tests/plugins/toy/write_settings.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace stillroom::toy {

// An artifact of this plugin: a folder with text.txt, and report.json that counts its bytes. The
// skeleton is report.json alone.
std::string read_text(const std::filesystem::path& folder);
void write_text(const std::filesystem::path& folder, std::string_view text);
std::int64_t read_size(const std::filesystem::path& folder);
void write_size(const std::filesystem::path& folder, std::int64_t bytes);

class Write final : public Stage {
public:
    using Settings = WriteSettings;
    explicit Write(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

class Join final : public Stage {
public:
    using Settings = JoinSettings;
    explicit Join(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

/// Refuses too long a text before anything runs.
class Upper final : public Stage {
public:
    using Settings = UpperSettings;
    explicit Upper(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::toy
