# One image for every app; docker-compose.yml says which one a container runs, and checks its health.
FROM node:24-slim AS build
WORKDIR /app
COPY . .
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
# What runs is `dist`; the links in node_modules to our own packages stay good.
RUN npm run build \
  && npm prune --omit=dev --no-audit --no-fund \
  && rm -rf test tools libs/*/src apps/*/src \
  && find . -path ./node_modules -prune -o \( -name '*.tsbuildinfo' -o -name '*.map' \) -exec rm {} +

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
# Owned by root: an app cannot change its own code.
COPY --from=build /app .
USER node
CMD ["node", "apps/standalone/dist/main.js"]
