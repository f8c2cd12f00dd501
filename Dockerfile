FROM node:26-slim AS install
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The image brings Node itself; what is left out are the tools of development, the pinned Node among them.
RUN npm ci --omit=dev

FROM node:26-slim
ENV NODE_ENV=production \
    KINHOLD_HOST=0.0.0.0 \
    KINHOLD_DATA=/data \
    KINHOLD_KEYS=/keys
WORKDIR /app
COPY --from=install /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
COPY profiles ./profiles
COPY terminology ./terminology
COPY mappings ./mappings
COPY samples ./samples
RUN mkdir /data /keys && chown node:node /data /keys && chmod 700 /data /keys
USER node
VOLUME ["/data", "/keys"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s CMD ["node", "-e", "const own = process.env.KINHOLD_TLS === 'own' || process.env.KINHOLD_TLS_CERT; require(own ? 'https' : 'http').get({ host: '127.0.0.1', port: process.env.KINHOLD_PORT || 8080, path: '/readyz', rejectUnauthorized: false }, r => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
# Commands beside it: docker compose exec kinhold node src/main.ts <command>
CMD ["node", "--disable-sigusr1", "src/main.ts", "serve"]
