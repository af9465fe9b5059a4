import VortexCore
