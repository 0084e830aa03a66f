#pragma once

#include "engine/plugin/stage.h"

#include <map>

namespace stillroom::lm {

/// A stage's context that keeps what it is told of files.
struct ListeningContext : RunContext {
    std::map<std::string, std::string> digests;  // by file name

    void hashed(const std::filesystem::path& file,
                std::uint64_t,
                const std::string& digest) override {
        digests[file.filename().string()] = digest;
    }

    bool has(std::string_view) const override { return false; }
    std::filesystem::path input(std::string_view) const override { return {}; }
    std::vector<std::filesystem::path> inputs(std::string_view) const override { return {}; }
    std::filesystem::path output(std::string_view) const override { return {}; }
    bool given(std::string_view) const override { return false; }
    bool offline() const override { return true; }
    void log(LogLevel, std::string_view) override {}
    std::filesystem::path work() const override { return {}; }
    const Rank& rank() const override { return alone; }
    int threads() const override { return 2; }
    const std::string& device() const override { return cpu; }
    void progress(double, std::string_view) override {}
    void metric(std::string_view, double, std::int64_t) override {}
    void text(std::string_view) override {}
    bool cancelled() const override { return false; }
    void saved() override {}
    std::string decided(std::string_view, const std::function<std::string()>&) override {
        return {};
    }
    void bind(std::string_view,
              const std::filesystem::path&,
              const std::vector<std::string>&) override {}
    void reads(const std::filesystem::path&) override {}
    void gate(std::string_view) override {}

    Rank alone;
    std::string cpu = "cpu";
};

}  // namespace stillroom::lm
