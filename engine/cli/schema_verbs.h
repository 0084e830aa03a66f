#pragma once

namespace stillroom::cli {

struct Command;

/// `schema validate SCHEMA FILE...`
void validate_files(Command& command);

}  // namespace stillroom::cli
