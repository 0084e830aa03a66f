#pragma once

#include <string>
#include <string_view>

namespace stillroom::test {

/// A value as JSON on one line, or "line:column Rnnn message" of the first mistake.
std::string outcome_of_yaml(const std::string& text);
std::string outcome_of_json(const std::string& text);

/// Compares each row of a table (`input => outcome`) in the folder of tables with what `outcome_of`
/// says, and returns their number. With STILLROOM_ACCEPT=1 it rewrites the outcomes instead.
std::size_t check_table(std::string_view name, std::string (*outcome_of)(const std::string&));

}  // namespace stillroom::test
