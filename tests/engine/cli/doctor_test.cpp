#include "engine/cli/doctor.h"

#include "engine/base/files.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

using namespace stillroom;
using namespace stillroom::cli;
namespace fs = std::filesystem;

namespace {

/// A machine made of files.
class Machine {
public:
    Machine() : root_(fs::temp_directory_path() / ("doctor-" + std::to_string(::getpid()))) {
        fs::remove_all(root_);
        fs::create_directories(root_);
    }
    ~Machine() { fs::remove_all(root_); }

    void has(const std::string& path, const std::string& text) {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }
    const fs::path& root() const { return root_; }

private:
    fs::path root_;
};

/// A variable for the length of a test.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* before = std::getenv(name)) {
            before_ = before;
            was_set_ = true;
        }
        ::setenv(name, value, 1);
    }
    ~Variable() { was_set_ ? ::setenv(name_, before_.c_str(), 1) : ::unsetenv(name_); }

private:
    const char* name_;
    std::string before_;
    bool was_set_ = false;
};

Check named(const std::vector<Check>& checks, const std::string& name) {
    auto found = std::find_if(
        checks.begin(), checks.end(), [&](const Check& check) { return check.name == name; });
    REQUIRE(found != checks.end());
    return *found;
}

bool mentions(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("what is not well says how to get it, what is well does not") {
    for (const Check& check : examine_machine()) {
        CAPTURE(check.name);
        CHECK(!check.detail.empty());
        if (check.state == "ok")
            CHECK(check.fix.empty());
        else
            CHECK((check.state == "missing" || check.state == "warning"));
        if (check.state == "missing")
            CHECK(!check.fix.empty());
    }
}

TEST_CASE("a control group's limits count before the machine's own") {
    Machine machine;
    machine.has("proc/self/cgroup", "0::/slice/box\n");
    machine.has("proc/meminfo", "MemTotal:  64000000 kB\nMemAvailable:  60000000 kB\n");
    machine.has("proc/cpuinfo", "model name\t: A Processor\nflags\t\t: fpu avx2 avx512f\n");
    machine.has("sys/fs/cgroup/slice/box/memory.max", "max\n");
    machine.has("sys/fs/cgroup/slice/memory.max", "2000000000\n");
    machine.has("sys/fs/cgroup/slice/box/cpu.max", "50000 100000\n");
    std::vector<Check> checks = examine_hardware(machine.root());

    CHECK(named(checks, "memory").state == "warning");
    CHECK(named(checks, "memory").detail ==
          "65.5 GB, 61.4 GB available, the control group grants 2.0 GB");
    CHECK(named(checks, "cores").state == "warning");
    CHECK(mentions(named(checks, "cores").detail,
                   "A Processor, of which the control group grants 0.5"));
    CHECK(named(checks, "instruction sets").detail == "AVX2 and AVX-512");
}

TEST_CASE("GPUs are named, and one that the container hides is told") {
    Machine machine;
    machine.has("proc/driver/nvidia/version",
                "NVRM version: NVIDIA UNIX Module  580.1\nGCC version: 12\n");
    machine.has("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H200\n");
    machine.has("proc/driver/nvidia/gpus/0000:02:00.0/information", "Model: \t\t NVIDIA H200\n");
    machine.has("dev/nvidia0", "");
    machine.has("dev/nvidiactl", "");
    Check hidden = named(examine_hardware(machine.root()), "devices");
    CHECK(hidden.state == "warning");
    CHECK(hidden.detail == "NVIDIA H200 and NVIDIA H200; only 1 of 2 in /dev");

    machine.has("dev/nvidia1", "");
    Check both = named(examine_hardware(machine.root()), "devices");
    CHECK(both.state == "ok");
    CHECK(mentions(both.detail, "driver NVIDIA UNIX Module  580.1"));
}

TEST_CASE("a toolkit of another CUDA is no match for LibTorch") {
    Machine machine;
    Variable path("PATH", "/nowhere");
    Variable home("CUDA_HOME", "");
    CHECK(named(examine_tools(machine.root()), "CUDA toolkit").state == "missing");
    machine.has("usr/local/cuda/bin/nvcc", "");
    machine.has(
        "usr/local/cuda/version.json",
        R"({"cuda" : {"version" : "9"}, "cuda_nvcc" : {"name" : "NVCC", "version" : "12.4.1"}})");
    Check check = named(examine_tools(machine.root()), "CUDA toolkit");
    CHECK(check.state == "warning");
    CHECK(mentions(check.detail, "nvcc, 12.4.1: LibTorch 2.11 is built for 13"));
}

TEST_CASE("missing packages are named as one line to run") {
    Machine machine;
    machine.has("usr/include/pcre2.h", "");
    machine.has("usr/include/fmt/core.h", "");
    Check check = named(examine_tools(machine.root()), "libraries");
    CHECK(check.detail == "no CLI/CLI.hpp and no doctest/doctest.h");
    CHECK(mentions(check.fix, "apt-get install libcli11-dev doctest-dev"));
}

TEST_CASE("the token's source is told, never the token") {
    Variable token("HF_TOKEN", "hf_secret");
    Variable offline("HF_HUB_OFFLINE", "1");
    std::vector<Check> checks = examine_surroundings();
    CHECK(named(checks, "token").detail == "from HF_TOKEN");
    CHECK(named(checks, "network").detail == "HF_HUB_OFFLINE is set: nothing is fetched");
    for (const Check& check : checks)
        CHECK(!mentions(check.detail + check.fix, "hf_secret"));
}
