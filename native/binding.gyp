# A door, not a second build: node-gyp and prebuildify users get what CMakeLists.txt describes.
{
  "targets": [
    {
      "target_name": "papo",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "inputs": [],
          # Never written, so the action always runs and CMake decides what is out of date.
          "outputs": ["<(INTERMEDIATE_DIR)/always"],
          "action": ["node", "native/gyp-shim.mjs"]
        }
      ]
    }
  ]
}
