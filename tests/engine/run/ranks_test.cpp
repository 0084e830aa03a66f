#include "engine/run/ranks.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>

using namespace stillroom;

namespace {

const Variables kTorchrun = {{"RANK", "3"},
                             {"WORLD_SIZE", "4"},
                             {"LOCAL_RANK", "1"},
                             {"LOCAL_WORLD_SIZE", "2"},
                             {"GROUP_RANK", "1"},
                             {"GROUP_WORLD_SIZE", "2"},
                             {"MASTER_ADDR", "node01"},
                             {"MASTER_PORT", "29500"},
                             {"TORCHELASTIC_RUN_ID", "none"},
                             {"TORCHELASTIC_RESTART_COUNT", "0"},
                             {"TORCHELASTIC_USE_AGENT_STORE", "True"},
                             {"TORCHELASTIC_ERROR_FILE", "/tmp/error.json"}};
const Variables kOpenMpi = {{"OMPI_COMM_WORLD_RANK", "1"},
                            {"OMPI_COMM_WORLD_SIZE", "2"},
                            {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                            {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                            {"PMIX_RANK", "1"},
                            {"PMIX_NAMESPACE", "2864578561"},
                            {"MASTER_ADDR", "a"},
                            {"MASTER_PORT", "1234"}};
const Variables kSlurm = {{"SLURM_PROCID", "3"},
                          {"SLURM_NTASKS", "16"},
                          {"SLURM_LOCALID", "3"},
                          {"SLURM_NODEID", "0"},
                          {"SLURM_JOB_NUM_NODES", "2"},
                          {"SLURM_TASKS_PER_NODE", "8(x2)"},
                          {"SLURM_JOB_NODELIST", "node[01-02]"},
                          {"SLURM_JOB_ID", "143417"},
                          {"SLURM_STEP_ID", "0"}};

Variables with(Variables base, const Variables& more) {
    for (const auto& [name, value] : more)
        base[name] = value;
    return base;
}

Variables without(Variables base, const char* name) {
    base.erase(name);
    return base;
}

std::string line(const Variables& variables, const RankFlags& flags = {}, bool worker = true) {
    return ranks_line(read_ranks(flags, variables, worker));
}

std::string refusal(const Variables& variables, const RankFlags& flags = {}) {
    try {
        read_ranks(flags, variables, true);
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitUsage);
        CHECK(!error.hint_text().empty());
        return error.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("each starter's variables say who this process is") {
    CHECK(line({}) == "launcher: none, rank 0 of 1, node 0 of 1");
    CHECK(line(kSlurm) == "launcher: slurm, rank 3 of 16, node 0 of 2, store node01:23417");
    CHECK(line(kTorchrun) == "launcher: torchrun, rank 3 of 4, node 1 of 2, store node01:29500");
    CHECK(line(kOpenMpi) == "launcher: mpi, rank 1 of 2, node 0 of 1, store a:1234");
    CHECK(line(without(kTorchrun, "TORCHELASTIC_RUN_ID")) ==
          "launcher: environment, rank 3 of 4, node 1 of 2, store node01:29500");
    Variables pmi = {{"PMI_RANK", "1"},
                     {"PMI_SIZE", "2"},
                     {"MPI_LOCALRANKID", "0"},
                     {"MASTER_ADDR", "fe80::1"},
                     {"MASTER_PORT", "1"}};
    CHECK(line(pmi) == "launcher: mpi, rank 1 of 2, node 1 of 2, store [fe80::1]:1");
}

TEST_CASE("flags win over torchrun, torchrun over MPI, MPI over Slurm") {
    Variables all = with(with(kSlurm, kOpenMpi), kTorchrun);
    RankFlags flags{"1", "2", "0", "here:5"};
    CHECK(line(all, flags) == "launcher: flags, rank 1 of 2, node 0 of 1, store here:5");
    CHECK(line(all).starts_with("launcher: torchrun, rank 3 of 4"));
    CHECK(line(with(kSlurm, kOpenMpi)).starts_with("launcher: mpi, rank 1 of 2"));
    CHECK(line(with(kSlurm, {{"PMIX_RANK", "3"}})).starts_with("launcher: slurm, rank 3 of 16"));
}

TEST_CASE("local ranks, worlds and what all ranks of one start share") {
    Ranks torchrun = read_ranks({}, kTorchrun, true);
    CHECK(torchrun.local == 1);
    CHECK(torchrun.local_world == 2);
    CHECK(torchrun.agent_store);
    CHECK(torchrun.job == "none node01:29500 0");
    CHECK(torchrun.error_file == "/tmp/error.json");
    Ranks slurm = read_ranks({}, with(kSlurm, {{"SLURM_TASKS_PER_NODE", "9,7"}}), true);
    CHECK(slurm.local == 3);
    CHECK(slurm.local_world == 9);
    CHECK(slurm.job == "143417.0.");
    CHECK(read_ranks({}, kOpenMpi, true).job == "2864578561");
    CHECK(read_ranks({}, with(kOpenMpi, {{"STILLROOM_JOB", "mine"}}), true).job == "mine");
    CHECK(read_ranks({"1", "2", {}, "h:1"}, {}, true).local == 1);
}

TEST_CASE("a step of Slurm counts its own tasks and hosts, not the job's") {
    Variables step = with(kSlurm,
                          {{"SLURM_STEP_NUM_TASKS", "4"},
                           {"SLURM_STEP_NUM_NODES", "1"},
                           {"SLURM_STEP_TASKS_PER_NODE", "4"},
                           {"SLURM_STEP_NODELIST", "node02"}});
    CHECK(line(step) == "launcher: slurm, rank 3 of 4, node 0 of 1, store node02:23417");
    CHECK(port_of_job(9'999) == 29'999);
    CHECK(port_of_job(10'000) == 20'000);
}

TEST_CASE("a rendezvous that is given wins; a port alone keeps the host") {
    CHECK(line(kSlurm, {{}, {}, {}, "other:7"}).ends_with("store other:7"));
    CHECK(line(kSlurm, {{}, {}, {}, ":7"}).ends_with("store node01:7"));
    CHECK(!read_ranks({{}, {}, {}, "other:7"}, kTorchrun, true).agent_store);
    CHECK(read_ranks({{}, {}, {}, "other:7"}, {}, true).store.empty());
    Variables no_list = without(kSlurm, "SLURM_JOB_NODELIST");
    CHECK(line(no_list, {{}, {}, {}, "other:7"}).ends_with("store other:7"));
}

TEST_CASE("P3: what a rank can see alone is refused with 2") {
    CHECK(refusal(with(kTorchrun, {{"RANK", "4"}})) == "rank 4 is outside of a world of 4");
    CHECK(refusal(with(kTorchrun, {{"RANK", "one"}})) == "RANK is 'one', which is no whole number");
    CHECK(refusal(with(kTorchrun, {{"RANK", "1x"}})) == "RANK is '1x', which is no whole number");
    CHECK(refusal(with(kTorchrun, {{"RANK", "-1"}})) ==
          "RANK is -1, it lies between 0 and 1000000");
    CHECK(refusal(with(kTorchrun, {{"WORLD_SIZE", "99999999999"}})) ==
          "WORLD_SIZE is 99999999999, it lies between 1 and 1000000");
    CHECK(refusal(without(kTorchrun, "LOCAL_RANK")) ==
          "LOCAL_RANK is not set, though there are 4 ranks");
    CHECK(refusal(without(kTorchrun, "WORLD_SIZE")) == "WORLD_SIZE is not set, though RANK is");
    CHECK(refusal(without(kTorchrun, "MASTER_ADDR")) ==
          "MASTER_ADDR and MASTER_PORT are not set, though there are 4 ranks");
    CHECK(refusal(with(kTorchrun, {{"MASTER_PORT", "70000"}})) ==
          "MASTER_PORT is 70000, it lies between 1 and 65535");
    CHECK(refusal(with(kSlurm, {{"SLURM_PROCID", "16"}})) == "rank 16 is outside of a world of 16");
    CHECK(refusal(with(kSlurm, {{"SLURM_JOB_NODELIST", "n[1"}})).starts_with("SLURM_JOB_NODELIST"));
    CHECK(refusal({{"PMIX_RANK", "0"}}).starts_with("PMIX_RANK is set"));
    CHECK(refusal({}, {"4", "4", {}, "h:1"}) == "rank 4 is outside of a world of 4");
    CHECK(refusal({}, {"0", {}, {}, {}}) == "--rank is given without --world");
    CHECK(refusal({}, {"0", "2", {}, {}}) == "where the 2 ranks meet is not said");
    CHECK(refusal({}, {"0", "2", {}, "host"}) == "--store is 'host', which is no HOST:PORT");
    CHECK(refusal({}, {"0", "2", {}, "host:0"}).starts_with("the port of --store is 0"));
}

TEST_CASE("a batch script is the engine's place, and no worker's") {
    Variables batch =
        with(without(kSlurm, "SLURM_STEP_ID"), {{"SLURM_PROCID", "0"}, {"SLURM_LOCALID", "0"}});
    CHECK(line(batch, {}, false) == "launcher: none, rank 0 of 1, node 0 of 1");
    CHECK(refusal(batch) ==
          "this is the batch script of a job of 16 tasks, not one of its ranks: SLURM_STEP_ID is "
          "not set");
    try {
        read_ranks({}, batch, true);
    } catch (const Error& error) {
        CHECK(error.hint_text().find("srun --ntasks=16") != std::string::npos);
    }
    CHECK(line(with(batch, {{"SLURM_NTASKS", "1"}, {"SLURM_JOB_NUM_NODES", "1"}})) ==
          "launcher: slurm, rank 0 of 1, node 0 of 1");
}

TEST_CASE("a process that starts others hands no starter's variables on") {
    for (const char* name : {"RANK",
                             "LOCAL_WORLD_SIZE",
                             "TORCHELASTIC_RUN_ID",
                             "PMIX_NAMESPACE",
                             "OMPI_COMM_WORLD_RANK",
                             "SLURM_PROCID",
                             "SLURM_STEP_ID"})
        CHECK_MESSAGE(is_rank_variable(name), name);
    for (const char* name : {"PATH",
                             "SLURM_JOB_ID",
                             "SLURM_JOB_NODELIST",
                             "OMPI_MCA_btl",
                             "OMPI_ALLOW_RUN_AS_ROOT",
                             "LOCAL_SCRATCH",
                             "CUDA_VISIBLE_DEVICES"})
        CHECK_MESSAGE(!is_rank_variable(name), name);
}
