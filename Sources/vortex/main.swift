print("vortex")
