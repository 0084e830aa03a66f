#include "engine/run/nodelist.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <doctest/doctest.h>

#include <string>

using namespace stillroom;

namespace {

std::string hosts(std::string_view text) {
    std::string out;
    for (const std::string& host : read_node_list(text, "SLURM_JOB_NODELIST"))
        out += (out.empty() ? "" : " ") + host;
    return out;
}

std::string refusal(std::string_view text, bool counts = false) {
    try {
        if (counts)
            read_task_counts(text, "SLURM_TASKS_PER_NODE");
        else
            read_node_list(text, "SLURM_JOB_NODELIST");
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitUsage);
        return error.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("P8: Slurm's list of hosts and its tasks a host are counted out") {
    CHECK(hosts("n[1-3,07-09],gpu5") == "n1 n2 n3 n07 n08 n09 gpu5");
    CHECK(read_task_counts("2(x3),1", "SLURM_TASKS_PER_NODE") == std::vector<int>{2, 2, 2, 1});
}

TEST_CASE("a list of hosts is read as Slurm writes it") {
    struct Row {
        const char* text;
        const char* hosts;
    };
    for (const Row& row : {Row{"node01", "node01"},
                           {"a,b-2,c_3.example", "a b-2 c_3.example"},
                           {"n[5]", "n5"},
                           {"n[08-11]", "n08 n09 n10 n11"},
                           {"n[8-11]", "n8 n9 n10 n11"},
                           {"n[0-1]-ib", "n0-ib n1-ib"},
                           {"r[1-2]n[01-02]", "r1n01 r1n02 r2n01 r2n02"},
                           {"[1-2]", "1 2"}})
        CHECK_MESSAGE(hosts(row.text) == row.hosts, row.text);
}

TEST_CASE("tasks a host are read as Slurm writes them") {
    CHECK(read_task_counts("8(x2)", "V") == std::vector<int>{8, 8});
    CHECK(read_task_counts("4", "V") == std::vector<int>{4});
    CHECK(read_task_counts("1,2,3(x1)", "V") == std::vector<int>{1, 2, 3});
}

TEST_CASE("what is no list of hosts is refused with the variable and the place") {
    struct Row {
        const char* text;
        const char* why;
    };
    for (const Row& row : {Row{"", "at character 1: a host is missing"},
                           {"a,", "at character 3: a host is missing"},
                           {",a", "at character 1: a host is missing"},
                           {"n[1-3", "at character 6: ']' is missing"},
                           {"n[]", "at character 3: a number is missing"},
                           {"n[1-]", "at character 5: a number is missing"},
                           {"n[3-1]", "at character 6: the range 3-1 is empty"},
                           {"n]", "no host's name holds this character"},
                           {"a b", "no host's name holds this character"},
                           {"n[1-2\x1b]", "']' is missing"},
                           {"$(id)", "no host's name holds this character"}}) {
        std::string said = refusal(row.text);
        CHECK_MESSAGE(said.find(row.why) != std::string::npos, said);
        CHECK(said.find("SLURM_JOB_NODELIST") != std::string::npos);
        CHECK(said.find('\x1b') == std::string::npos);
    }
    for (const char* text : {"", "2(x3", "2(x0)", "(x3)", "2(x)", "2;3", "2,", "-1", "1 2"})
        CHECK_MESSAGE(refusal(text, true) != "none", text);
}

TEST_CASE("a list that would name more hosts than any cluster has is refused uncounted") {
    for (const char* text : {"n[0-999999999]",
                             "n[0-65535],m",
                             "n[0-65536]",
                             "n[0-300]m[0-300]",
                             "n[0-60000]m[0-60000]k[0-60000]",
                             "n[0-99999999999999999999]"})
        CHECK_MESSAGE(refusal(text) != "none", text);
    CHECK(read_node_list("n[0-65535]", "V").size() == kMostHosts);
    for (const char* text : {"1(x999999999)", "1(x65537)", "999999999", "1(x65536),1"})
        CHECK_MESSAGE(refusal(text, true) != "none", text);
    std::string deep = "n";
    for (int i = 0; i < 400; i++)
        deep += "[1]";
    CHECK(refusal(deep).find("longer than 253") != std::string::npos);
}
