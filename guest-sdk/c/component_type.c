// scenario.c refers to this symbol so that an object file with the contract's type is linked in.
// Here the type comes from `wit/` itself: `wasm-tools component embed` writes it into the module
// after linking, so no binary needs to be kept in the repository.

void __component_type_object_force_link_scenario(void) {}
