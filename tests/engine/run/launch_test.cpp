#include "engine/base/error.h"
#include "engine/document/document.h"
#include "engine/recipe/search_path.h"
#include "engine/run/launch_config.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

/// Launch files in a folder that nobody trusts by itself.
class Launches {
public:
    Launches() : folder_(fs::temp_directory_path() / ("launch-" + std::to_string(::getpid()))) {
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        facts.machine = {4, 8, 1000, 2};
        facts.trusted = launch_folders({}, {}, diagnostics);
    }
    ~Launches() { fs::remove_all(folder_); }

    fs::path file(const std::string& name, const std::string& text) {
        std::ofstream(folder_ / name) << text;
        return folder_ / name;
    }
    Launch read(const fs::path& path) {
        Document document = read_document(sources, path, {}, diagnostics);
        REQUIRE(document.root);
        return read_launch(document.root, facts, sources, diagnostics);
    }
    std::string said() const {
        return diagnostics.all().empty() ? "" : diagnostics.all().front().message;
    }

    LaunchFacts facts;
    Sources sources;
    Diagnostics diagnostics;

private:
    fs::path folder_;
};

constexpr const char* kMine = "kind: mpi\ncommand: [mpirun, \"{worker}\"]\n";

}  // namespace

TEST_CASE("what a launch leaves open is the machine's") {
    Launches here;
    Launch local = read_launch(nullptr, here.facts, here.sources, here.diagnostics);
    CHECK(local.name == "local");
    CHECK(local.cores == 4);
    CHECK(local.devices == 2);
    CHECK(local.memory == 1000);
    CHECK(local.timeout == 600);
    Launch gpu = here.read(data_folder() / "recipes/launch/one-gpu.yaml");
    CHECK(gpu.name == "one-gpu");
    CHECK(gpu.devices == 1);
    Launch given = here.read(
        here.file("own.yaml", "kind: local\ncores: 3\nmemory: 5GiB\ntimeout: 90s\ndevices: 0\n"));
    CHECK(given.cores == 3);
    CHECK(given.memory == std::uint64_t{5} << 30);
    CHECK(given.timeout == 90);
    CHECK(given.devices == 0);
    CHECK(here.said() == "");
}

TEST_CASE("the library's slurm takes its nodes from the allocation and multiplies the machine") {
    Launches here;
    here.facts.variables = {{"SLURM_JOB_NUM_NODES", "2"}, {"SLURM_NTASKS_PER_NODE", "8"}};
    Launch launch = here.read(data_folder() / "recipes/launch/slurm.yaml");
    CHECK(here.said() == "");
    CHECK(launch.kind == Launch::Kind::slurm);
    CHECK(launch.nodes == 2);
    CHECK(launch.cores == 8);
    CHECK(launch.devices == 4);
    std::vector<std::string> words = launch_words(launch, 16, {"stillroom", "worker"});
    CHECK(words == std::vector<std::string>{"srun",
                                            "--nodes=2",
                                            "--ntasks=16",
                                            "--ntasks-per-node=8",
                                            "--kill-on-bad-exit=1",
                                            "--wait=60",
                                            "stillroom",
                                            "worker"});
    CHECK(launch_words(launch, 4, {"w"})[1] == "--nodes=1");
    CHECK_THROWS_WITH_AS(
        launch_words(launch, 17, {}), "17 ranks do not fit on 2 nodes of 8 each", Error);
}

TEST_CASE("ranks lie on as many nodes as there are, unless it is said how many go on each") {
    Launch launch;
    launch.nodes = 2;
    CHECK(launch_shape(launch, 1).nodes == 1);
    CHECK(launch_shape(launch, 3).ranks_per_node == 2);
    launch.ranks_per_node = 4;
    CHECK(launch_shape(launch, 4).nodes == 1);
    CHECK(launch_shape(launch, 5).nodes == 2);
}

TEST_CASE("S9: a launch command counts from trusted files only, and says what to trust") {
    Launches here;
    fs::path path = here.file("mine.yaml", kMine);
    here.read(path);
    REQUIRE(here.diagnostics.errors() == 1);
    const Diagnostic& said = here.diagnostics.all().front();
    CHECK(said.exit_code == kExitPolicy);
    CHECK(said.message ==
          "launch command of " + path.string() +
              " (sha256 "
              "f19404be9c4c996cd0be0de88398cb47164684f63eaebb137224572507e8abe6) is not trusted");
    CHECK(said.hint.find("--trust " + fs::canonical(path).string()) != std::string::npos);
    CHECK(here.diagnostics.exit_code() == kExitPolicy);
}

TEST_CASE("a trusted file or folder lets a launch command count, a link does not carry trust") {
    Launches here;
    fs::path path = here.file("mine.yaml", kMine);
    fs::path other = here.file("other.yaml", kMine);
    here.facts.trusted = {{fs::canonical(path), "--trust"}};
    CHECK(here.read(path).command.size() == 2);
    CHECK(here.diagnostics.ok());
    fs::path folder = path.parent_path() / "trusted";
    fs::create_directory(folder);
    fs::create_symlink(other, folder / "link.yaml");
    here.facts.trusted = {{fs::canonical(folder), "--trust"}};
    here.read(folder / "link.yaml");
    CHECK(here.diagnostics.errors() == 1);
    here.facts.trusted = {{fs::canonical(path.parent_path()), "--trust"}};
    here.read(other);
    CHECK(here.diagnostics.errors() == 1);
}

TEST_CASE("started from outside there is nothing left to launch") {
    Launches here;
    here.facts.ranks = read_ranks({},
                                  {{"RANK", "0"},
                                   {"WORLD_SIZE", "4"},
                                   {"LOCAL_RANK", "0"},
                                   {"LOCAL_WORLD_SIZE", "2"},
                                   {"MASTER_ADDR", "a"},
                                   {"MASTER_PORT", "1"},
                                   {"TORCHELASTIC_RUN_ID", "x"}},
                                  false);
    Launch local = read_launch(nullptr, here.facts, here.sources, here.diagnostics);
    CHECK(local.nodes == 2);
    CHECK(local.cores == 16);  // 4 of 8 cores seen by each of 2 ranks, on 2 nodes
    CHECK(here.diagnostics.ok());
    here.read(data_folder() / "recipes/launch/slurm.yaml");
    CHECK(here.said() ==
          "torchrun has started 4 ranks of this program already, launch=slurm would start their "
          "workers once more");
}

TEST_CASE("a machine is what its limits leave of it") {
    fs::path root = fs::temp_directory_path() / ("machine-" + std::to_string(::getpid()));
    auto has = [&](const char* path, const char* text) {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text;
    };
    has("proc/meminfo", "MemTotal: 1000 kB\n");
    has("proc/self/cgroup", "0::/a/b\n");
    has("sys/fs/cgroup/a/b/memory.max", "max\n");
    has("sys/fs/cgroup/a/memory.max", "4096\n");
    has("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    for (const char* name : {"dev/nvidia0", "dev/nvidia1", "dev/nvidiactl", "dev/nvidia-uvm"})
        has(name, "");
    Machine machine = this_machine({}, root);
    CHECK(machine.cores == 1);
    CHECK(machine.memory == 4096);
    CHECK(machine.devices == 2);
    CHECK(this_machine({{"CUDA_VISIBLE_DEVICES", ""}}, root).devices == 0);
    CHECK(this_machine({{"CUDA_VISIBLE_DEVICES", "3"}}, root).devices == 1);
    CHECK(this_machine({{"CUDA_VISIBLE_DEVICES", "0,1,-1,2"}}, root).devices == 2);
    fs::remove_all(root);
}
