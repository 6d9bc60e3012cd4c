"""What drizzle and Prisma make of a rewrite: their snapshots, and the next file they generate."""
