#pragma once

#include <set>
#include <string>
#include <vector>

namespace stillroom::test {

/// A line of a file in tests/cases/language: fields with " | " between, the first one the id.
/// Empty lines and those that begin with '#' are left out.
struct CaseLine {
    std::string file;
    int line = 0;
    std::vector<std::string> fields;
};

/// Throws std::runtime_error if the file is not there or a line has not `fields` fields.
std::vector<CaseLine> read_case_lines(const std::string& name, std::size_t fields);

/// Ids of deviations.txt.
std::set<std::string> deviations();

/// "ERR(part)": true if `message` is one that holds the part. An outcome of another form is
/// compared as it stands.
bool matches(const std::string& expected, const std::string& outcome);

}  // namespace stillroom::test
