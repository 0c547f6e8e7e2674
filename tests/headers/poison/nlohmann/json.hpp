#error "a public header includes all of nlohmann/json"
