import os

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, get, rmdir

required_conan_version = ">=2.1"


class WechatpayBonusCommitConan(ConanFile):
    name = "wechatpay-bonus-commit"
    description = "Marks the points shown on WeChat Pay's payment result page as credited"
    license = "MIT"
    url = "https://github.com/conan-io/conan-center-index"
    homepage = "https://github.com/OWNER/wechatpay-bonus-commit"
    topics = ("wechat", "wechatpay", "payment", "api-client")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False]}
    default_options = {"shared": False, "fPIC": True}
    implements = ["auto_shared_fpic"]

    def layout(self):
        cmake_layout(self, src_folder="src")

    def requirements(self):
        self.requires("libcurl/[>=7.80 <9]")
        self.requires("nlohmann_json/[>=3.10 <4]")
        self.requires("openssl/[>=3 <4]")

    def build_requirements(self):
        self.tool_requires("cmake/[>=3.24]")

    def validate(self):
        check_min_cppstd(self, 17)

    def source(self):
        get(self, **self.conan_data["sources"][self.version], strip_root=True)

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "TOOL", "EXAMPLES", "TESTING_SUPPORT", "SANDBOX"):
            toolchain.cache_variables[f"WECHATPAY_BONUS_COMMIT_BUILD_{part}"] = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()
        # Conan generates these files itself, from package_info().
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.libs = ["wechatpay_bonus_commit"]
        self.cpp_info.set_property("cmake_file_name", "wechatpay_bonus_commit")
        self.cpp_info.set_property("cmake_target_name", "wechatpay::bonus_commit")
        self.cpp_info.set_property("pkg_config_name", "wechatpay_bonus_commit")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread"]
        if self.settings.os == "Windows" and self.options.shared:
            self.cpp_info.defines = ["WECHATPAY_BONUS_COMMIT_USES_DLL"]
