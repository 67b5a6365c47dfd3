CREATE TYPE public.studydirection AS ENUM (
    'NOT_SET',
    'MINIMIZE',
    'MAXIMIZE'
);
CREATE TYPE public.trialintermediatevaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG',
    'NAN'
);
CREATE TYPE public.trialstate AS ENUM (
    'RUNNING',
    'COMPLETE',
    'PRUNED',
    'FAIL',
    'WAITING'
);
CREATE TYPE public.trialvaluetype AS ENUM (
    'FINITE',
    'INF_POS',
    'INF_NEG'
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.studies (
    study_id integer NOT NULL,
    study_name character varying(512) NOT NULL
);
CREATE SEQUENCE public.studies_study_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.studies_study_id_seq OWNED BY public.studies.study_id;
CREATE TABLE public.study_directions (
    study_direction_id integer NOT NULL,
    direction public.studydirection NOT NULL,
    study_id integer NOT NULL,
    objective integer NOT NULL
);
CREATE SEQUENCE public.study_directions_study_direction_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_directions_study_direction_id_seq OWNED BY public.study_directions.study_direction_id;
CREATE TABLE public.study_system_attributes (
    study_system_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_system_attributes_study_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_system_attributes_study_system_attribute_id_seq OWNED BY public.study_system_attributes.study_system_attribute_id;
CREATE TABLE public.study_user_attributes (
    study_user_attribute_id integer NOT NULL,
    study_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.study_user_attributes_study_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.study_user_attributes_study_user_attribute_id_seq OWNED BY public.study_user_attributes.study_user_attribute_id;
CREATE TABLE public.trial_heartbeats (
    trial_heartbeat_id integer NOT NULL,
    trial_id integer NOT NULL,
    heartbeat timestamp without time zone NOT NULL
);
CREATE SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_heartbeats_trial_heartbeat_id_seq OWNED BY public.trial_heartbeats.trial_heartbeat_id;
CREATE TABLE public.trial_intermediate_values (
    trial_intermediate_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    step integer NOT NULL,
    intermediate_value double precision,
    intermediate_value_type public.trialintermediatevaluetype NOT NULL
);
CREATE SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_intermediate_values_trial_intermediate_value_id_seq OWNED BY public.trial_intermediate_values.trial_intermediate_value_id;
CREATE TABLE public.trial_params (
    param_id integer NOT NULL,
    trial_id integer,
    param_name character varying(512),
    param_value double precision,
    distribution_json text
);
CREATE SEQUENCE public.trial_params_param_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_params_param_id_seq OWNED BY public.trial_params.param_id;
CREATE TABLE public.trial_system_attributes (
    trial_system_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_system_attributes_trial_system_attribute_id_seq OWNED BY public.trial_system_attributes.trial_system_attribute_id;
CREATE TABLE public.trial_user_attributes (
    trial_user_attribute_id integer NOT NULL,
    trial_id integer,
    key character varying(512),
    value_json text
);
CREATE SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_user_attributes_trial_user_attribute_id_seq OWNED BY public.trial_user_attributes.trial_user_attribute_id;
CREATE TABLE public.trial_values (
    trial_value_id integer NOT NULL,
    trial_id integer NOT NULL,
    objective integer NOT NULL,
    value double precision,
    value_type public.trialvaluetype NOT NULL
);
CREATE SEQUENCE public.trial_values_trial_value_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trial_values_trial_value_id_seq OWNED BY public.trial_values.trial_value_id;
CREATE TABLE public.trials (
    trial_id integer NOT NULL,
    number integer,
    study_id integer,
    state public.trialstate NOT NULL,
    datetime_start timestamp without time zone,
    datetime_complete timestamp without time zone
);
CREATE SEQUENCE public.trials_trial_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.trials_trial_id_seq OWNED BY public.trials.trial_id;
CREATE TABLE public.version_info (
    version_info_id integer NOT NULL,
    schema_version integer,
    library_version character varying(256),
    CONSTRAINT version_info_version_info_id_check CHECK ((version_info_id = 1))
);
ALTER TABLE ONLY public.studies ALTER COLUMN study_id SET DEFAULT nextval('public.studies_study_id_seq'::regclass);
ALTER TABLE ONLY public.study_directions ALTER COLUMN study_direction_id SET DEFAULT nextval('public.study_directions_study_direction_id_seq'::regclass);
ALTER TABLE ONLY public.study_system_attributes ALTER COLUMN study_system_attribute_id SET DEFAULT nextval('public.study_system_attributes_study_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.study_user_attributes ALTER COLUMN study_user_attribute_id SET DEFAULT nextval('public.study_user_attributes_study_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_heartbeats ALTER COLUMN trial_heartbeat_id SET DEFAULT nextval('public.trial_heartbeats_trial_heartbeat_id_seq'::regclass);
ALTER TABLE ONLY public.trial_intermediate_values ALTER COLUMN trial_intermediate_value_id SET DEFAULT nextval('public.trial_intermediate_values_trial_intermediate_value_id_seq'::regclass);
ALTER TABLE ONLY public.trial_params ALTER COLUMN param_id SET DEFAULT nextval('public.trial_params_param_id_seq'::regclass);
ALTER TABLE ONLY public.trial_system_attributes ALTER COLUMN trial_system_attribute_id SET DEFAULT nextval('public.trial_system_attributes_trial_system_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_user_attributes ALTER COLUMN trial_user_attribute_id SET DEFAULT nextval('public.trial_user_attributes_trial_user_attribute_id_seq'::regclass);
ALTER TABLE ONLY public.trial_values ALTER COLUMN trial_value_id SET DEFAULT nextval('public.trial_values_trial_value_id_seq'::regclass);
ALTER TABLE ONLY public.trials ALTER COLUMN trial_id SET DEFAULT nextval('public.trials_trial_id_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('v3.2.0.a');
INSERT INTO public.studies VALUES (1, 'postgres');
INSERT INTO public.study_directions VALUES (1, 'MINIMIZE', 1, 0);
INSERT INTO public.study_user_attributes VALUES (1, 1, 'versions', '{"python": "3.11.7", "sgdr": "0.1.0", "jax": "0.10.2", "jaxlib": "0.10.2", "optax": "0.2.8", "optuna": "5.0.0", "numpy": "2.4.6"}');
INSERT INTO public.study_user_attributes VALUES (2, 1, 'seed', '2');
INSERT INTO public.study_user_attributes VALUES (3, 1, 'controls', '0.25');
INSERT INTO public.study_user_attributes VALUES (4, 1, 'sampler', '"tpe"');
INSERT INTO public.study_user_attributes VALUES (5, 1, 'pruner', '"RestartAwarePruner"');
INSERT INTO public.study_user_attributes VALUES (6, 1, 'interval', '"step"');
INSERT INTO public.study_user_attributes VALUES (7, 1, 'steps_per_epoch', '2');
INSERT INTO public.study_user_attributes VALUES (8, 1, 'direction', '"minimize"');
INSERT INTO public.study_user_attributes VALUES (9, 1, 'select_metric', '"select_error"');
INSERT INTO public.study_user_attributes VALUES (10, 1, 'metric', '"error"');
INSERT INTO public.study_user_attributes VALUES (11, 1, 'objective', '"best-epoch"');
INSERT INTO public.study_user_attributes VALUES (12, 1, 'space', '{"base_lr": [0.001, 1.0], "T_0": [1, 6], "T_mult": [1, 2, 3], "eta_ratio": [0.0, 0.1], "closed": false, "hparams": {}}');
INSERT INTO public.study_user_attributes VALUES (13, 1, 'budget', '6');
INSERT INTO public.study_user_attributes VALUES (14, 1, 'workload', '"tiny"');
INSERT INTO public.study_user_attributes VALUES (15, 1, 'worker:7cf4f5961ceb', '{"host": "vm", "namespace": "pid:[4026531836]", "pid": 8936, "started": 1795953490.73, "seen": 1795953523.5461164, "ended": true, "launch": null, "place": null, "notes": {"epochs": 24, "timing": {"setup": 0.5970410219997575, "compile": 4.760982282999976, "storage": 0.00017774300158635015, "sampler": 0.0034786959977282095, "train": 0.012387933998979861}, "slots": 8, "devices": "2 x cpu", "compilations": 1}}');
INSERT INTO public.study_user_attributes VALUES (17, 1, 'confirmation', '{"6": {"values": {"361123650": 0.0014514343347400427, "1969678822": 0.0008930310141295195, "1741479436": 0.004032733850181103, "385398846": 0.0001901949872262776, "744318073": 0.0008756564348004758, "783268742": 0.002237438689917326, "1393246841": 0.001007679384201765, "1951558613": 0.000413258298067376}, "epochs": {"361123650": 6, "1969678822": 5, "1741479436": 3, "385398846": 6, "744318073": 6, "783268742": 2, "1393246841": 6, "1951558613": 5}, "failed": null, "ensemble": null}, "0": {"values": {"361123650": 0.016875585541129112, "1969678822": 0.005351589526981115, "1741479436": 0.00998828187584877, "385398846": 0.0003444175818003714, "744318073": 0.009299594908952713, "783268742": 0.00712118623778224, "1393246841": 0.003935737069696188, "1951558613": 0.005018207244575024}, "epochs": {"361123650": 6, "1969678822": 6, "1741479436": 4, "385398846": 6, "744318073": 6, "783268742": 6, "1393246841": 6, "1951558613": 6}, "failed": null, "ensemble": null}, "1": {"values": {"361123650": 0.0008511252235621214, "1969678822": 0.0012104177149012685, "1741479436": 0.0038345733191818, "385398846": 0.0011637129355221987, "744318073": 0.0007703520241193473, "783268742": 0.000351235328707844, "1393246841": 0.0010101114166900516, "1951558613": 0.0005150159704498947}, "epochs": {"361123650": 6, "1969678822": 5, "1741479436": 3, "385398846": 6, "744318073": 4, "783268742": 2, "1393246841": 3, "1951558613": 5}, "failed": null, "ensemble": null}}');
INSERT INTO public.study_user_attributes VALUES (18, 1, 'verdict', '{"decision": "undecided", "words": "undecided: error is 0.000174 higher with restarts than with a constant rate (95 % interval -0.000715 to +0.000923, 8 paired seeds); about 206 more seeds would decide, were that the true difference", "candidates": [{"number": 1, "arm": "constant", "schedule": {"base_lr": 0.48296151575247925, "T_0": 6, "T_mult": 1, "eta_min": 0.48296151575247925}, "hparams": {}, "searched": 0.0017448102589696646, "values": {"361123650": 0.0008511252235621214, "1969678822": 0.0012104177149012685, "1741479436": 0.0038345733191818, "385398846": 0.0011637129355221987, "744318073": 0.0007703520241193473, "783268742": 0.000351235328707844, "1393246841": 0.0010101114166900516, "1951558613": 0.0005150159704498947}, "mean": 0.0012133179916418158, "low": 0.0002935345107051117, "high": 0.00213310147257852, "epoch": 4.5, "failed": null, "ensemble": null}, {"number": 6, "arm": "restarts", "schedule": {"base_lr": 0.6771937416643148, "T_0": 2, "T_mult": 3, "eta_min": 0.00689415159960954}, "hparams": {}, "searched": 0.0007858557510189712, "values": {"361123650": 0.0014514343347400427, "1969678822": 0.0008930310141295195, "1741479436": 0.004032733850181103, "385398846": 0.0001901949872262776, "744318073": 0.0008756564348004758, "783268742": 0.002237438689917326, "1393246841": 0.001007679384201765, "1951558613": 0.000413258298067376}, "mean": 0.0013876783741579857, "low": 0.0003513024524954521, "high": 0.0024240542958205193, "epoch": 5.5, "failed": null, "ensemble": null}, {"number": 0, "arm": "cosine", "schedule": {"base_lr": 0.35637239989229097, "T_0": 6, "T_mult": 1, "eta_min": 0.03003342325306865}, "hparams": {}, "searched": 0.008012223988771439, "values": {"361123650": 0.016875585541129112, "1969678822": 0.005351589526981115, "1741479436": 0.00998828187584877, "385398846": 0.0003444175818003714, "744318073": 0.009299594908952713, "783268742": 0.00712118623778224, "1393246841": 0.003935737069696188, "1951558613": 0.005018207244575024}, "mean": 0.007241824998345692, "low": 0.003102245876938977, "high": 0.011381404119752407, "epoch": 6.0, "failed": null, "ensemble": null}], "restarts": 6, "control": 1, "difference": {"mean": 0.00017436038251616992, "low": -0.0007152552878246551, "high": 0.0009228856208071715, "seeds": 8}, "more_seeds": 206, "metric": "error", "direction": "minimize", "seeds": 8, "trials": 8}');
INSERT INTO public.study_user_attributes VALUES (16, 1, 'worker:23acecd1dc99', '{"host": "vm", "namespace": "pid:[4026531836]", "pid": 8936, "started": 1795953490.73, "seen": 1795953529.8306892, "ended": true, "launch": null, "place": null, "notes": {}}');
INSERT INTO public.trial_intermediate_values VALUES (1, 1, 1, 0.2567497491836548, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (2, 2, 1, 0.03596487268805504, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (3, 3, 1, 4.11501407623291, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (4, 4, 1, 0.9403870105743408, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (5, 5, 1, 1.8993439674377441, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (6, 6, 1, 2.2902421951293945, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (7, 6, 2, 2.2768912315368652, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (8, 7, 1, 0.04654373228549957, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (9, 7, 2, 0.02260151505470276, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (10, 7, 3, 0.0007858557510189712, 'FINITE');
INSERT INTO public.trial_intermediate_values VALUES (11, 8, 1, 0.05340176820755005, 'FINITE');
INSERT INTO public.trial_params VALUES (1, 1, 'base_lr', 0.35637239989229097, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO public.trial_params VALUES (2, 1, 'eta_ratio', 0.08427539074896336, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO public.trial_params VALUES (3, 2, 'base_lr', 0.48296151575247925, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO public.trial_params VALUES (4, 3, 'base_lr', 0.035531564433569966, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO public.trial_params VALUES (5, 3, 'T_0', 3, '{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 6}}');
INSERT INTO public.trial_params VALUES (6, 3, 'T_mult', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO public.trial_params VALUES (7, 3, 'eta_ratio', 0.09474156862918821, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO public.trial_params VALUES (8, 4, 'base_lr', 0.013201977285633987, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO public.trial_params VALUES (9, 4, 'T_0', 1, '{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 6}}');
INSERT INTO public.trial_params VALUES (10, 4, 'T_mult', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO public.trial_params VALUES (11, 4, 'eta_ratio', 0.04860129435154921, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO public.trial_params VALUES (12, 5, 'base_lr', 0.004905278082428757, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO public.trial_params VALUES (13, 5, 'T_0', 1, '{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 6}}');
INSERT INTO public.trial_params VALUES (14, 5, 'T_mult', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO public.trial_params VALUES (15, 5, 'eta_ratio', 0.002461020073910181, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO public.trial_params VALUES (16, 6, 'base_lr', 0.0018225870674795986, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO public.trial_params VALUES (17, 6, 'T_0', 4, '{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 6}}');
INSERT INTO public.trial_params VALUES (18, 6, 'T_mult', 0, '{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO public.trial_params VALUES (19, 6, 'eta_ratio', 0.0563207457962712, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO public.trial_params VALUES (20, 7, 'base_lr', 0.6771937416643148, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO public.trial_params VALUES (21, 7, 'T_0', 2, '{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 6}}');
INSERT INTO public.trial_params VALUES (22, 7, 'T_mult', 2, '{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO public.trial_params VALUES (23, 7, 'eta_ratio', 0.010180471518632217, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO public.trial_params VALUES (24, 8, 'base_lr', 0.25161561383373887, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.001, "high": 1.0, "log": true}}');
INSERT INTO public.trial_params VALUES (25, 8, 'T_0', 1, '{"name": "IntDistribution", "attributes": {"log": true, "step": 1, "low": 1, "high": 6}}');
INSERT INTO public.trial_params VALUES (26, 8, 'T_mult', 1, '{"name": "CategoricalDistribution", "attributes": {"choices": [1, 2, 3]}}');
INSERT INTO public.trial_params VALUES (27, 8, 'eta_ratio', 0.06404019724099319, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 0.1, "log": false}}');
INSERT INTO public.trial_system_attributes VALUES (1, 1, 'fixed_params', '{"base_lr": 0.35637239989229097, "eta_ratio": 0.08427539074896336}');
INSERT INTO public.trial_system_attributes VALUES (2, 2, 'fixed_params', '{"base_lr": 0.48296151575247925}');
INSERT INTO public.trial_system_attributes VALUES (3, 3, 'fixed_params', '{"base_lr": 0.035531564433569966, "T_0": 3, "T_mult": 1, "eta_ratio": 0.09474156862918821}');
INSERT INTO public.trial_system_attributes VALUES (4, 4, 'fixed_params', '{"base_lr": 0.013201977285633987, "T_0": 1, "T_mult": 3, "eta_ratio": 0.04860129435154921}');
INSERT INTO public.trial_system_attributes VALUES (5, 5, 'fixed_params', '{"base_lr": 0.004905278082428757, "T_0": 1, "T_mult": 2, "eta_ratio": 0.002461020073910181}');
INSERT INTO public.trial_system_attributes VALUES (6, 6, 'fixed_params', '{"base_lr": 0.0018225870674795986, "T_0": 4, "T_mult": 1, "eta_ratio": 0.0563207457962712}');
INSERT INTO public.trial_system_attributes VALUES (7, 7, 'fixed_params', '{"base_lr": 0.6771937416643148, "T_0": 2, "T_mult": 3, "eta_ratio": 0.010180471518632217}');
INSERT INTO public.trial_system_attributes VALUES (8, 8, 'fixed_params', '{"base_lr": 0.25161561383373887, "T_0": 1, "T_mult": 2, "eta_ratio": 0.06404019724099319}');
INSERT INTO public.trial_user_attributes VALUES (1, 1, 'arm', '"cosine"');
INSERT INTO public.trial_user_attributes VALUES (2, 1, 'curve', '{"error": [0.25674975, 0.05157947, 0.01966937, 0.009656692, 0.008901725, 0.008012224], "select_error": [0.25480258, 0.05207835, 0.019813158, 0.009634497, 0.008946191, 0.008091345]}');
INSERT INTO public.trial_user_attributes VALUES (3, 1, 'epochs', '6');
INSERT INTO public.trial_user_attributes VALUES (4, 1, 'seconds', '0.026');
INSERT INTO public.trial_user_attributes VALUES (5, 1, 'seed', '1417063493');
INSERT INTO public.trial_user_attributes VALUES (6, 1, 'worker', '"7cf4f5961ceb"');
INSERT INTO public.trial_user_attributes VALUES (7, 1, 'schedule', '{"base_lr": 0.35637239989229097, "T_0": 6, "T_mult": 1, "eta_min": 0.03003342325306865}');
INSERT INTO public.trial_user_attributes VALUES (8, 2, 'arm', '"constant"');
INSERT INTO public.trial_user_attributes VALUES (9, 2, 'curve', '{"error": [0.035964873, 0.0055955825, 0.015128846, 0.0017448103, 0.004235994, 0.0019835674], "select_error": [0.035610016, 0.005560068, 0.015211645, 0.0017619948, 0.004198351, 0.0020017372]}');
INSERT INTO public.trial_user_attributes VALUES (10, 2, 'epochs', '6');
INSERT INTO public.trial_user_attributes VALUES (11, 2, 'seconds', '0.026');
INSERT INTO public.trial_user_attributes VALUES (12, 2, 'seed', '153813223');
INSERT INTO public.trial_user_attributes VALUES (13, 2, 'worker', '"7cf4f5961ceb"');
INSERT INTO public.trial_user_attributes VALUES (14, 2, 'schedule', '{"base_lr": 0.48296151575247925, "T_0": 6, "T_mult": 1, "eta_min": 0.48296151575247925}');
INSERT INTO public.trial_user_attributes VALUES (15, 3, 'arm', '"restarts"');
INSERT INTO public.trial_user_attributes VALUES (16, 3, 'curve', '{"error": [4.115014], "select_error": [4.0962787]}');
INSERT INTO public.trial_user_attributes VALUES (17, 3, 'epochs', '1');
INSERT INTO public.trial_user_attributes VALUES (18, 3, 'seconds', '0.013');
INSERT INTO public.trial_user_attributes VALUES (19, 3, 'seed', '670013422');
INSERT INTO public.trial_user_attributes VALUES (20, 3, 'worker', '"7cf4f5961ceb"');
INSERT INTO public.trial_user_attributes VALUES (21, 3, 'schedule', '{"base_lr": 0.035531564433569966, "T_0": 3, "T_mult": 1, "eta_min": 0.003366316150285492}');
INSERT INTO public.trial_user_attributes VALUES (22, 4, 'arm', '"restarts"');
INSERT INTO public.trial_user_attributes VALUES (23, 4, 'curve', '{"error": [0.940387], "select_error": [0.93222606]}');
INSERT INTO public.trial_user_attributes VALUES (24, 4, 'epochs', '1');
INSERT INTO public.trial_user_attributes VALUES (25, 4, 'seconds', '0.013');
INSERT INTO public.trial_user_attributes VALUES (26, 4, 'seed', '1054260900');
INSERT INTO public.trial_user_attributes VALUES (27, 4, 'worker', '"7cf4f5961ceb"');
INSERT INTO public.trial_user_attributes VALUES (28, 4, 'schedule', '{"base_lr": 0.013201977285633987, "T_0": 1, "T_mult": 3, "eta_min": 0.0006416331840815641}');
INSERT INTO public.trial_user_attributes VALUES (29, 5, 'arm', '"restarts"');
INSERT INTO public.trial_user_attributes VALUES (30, 5, 'curve', '{"error": [1.899344], "select_error": [1.9177412]}');
INSERT INTO public.trial_user_attributes VALUES (31, 5, 'epochs', '1');
INSERT INTO public.trial_user_attributes VALUES (32, 5, 'seconds', '0.013');
INSERT INTO public.trial_user_attributes VALUES (33, 5, 'seed', '2004438047');
INSERT INTO public.trial_user_attributes VALUES (34, 5, 'worker', '"7cf4f5961ceb"');
INSERT INTO public.trial_user_attributes VALUES (35, 5, 'schedule', '{"base_lr": 0.004905278082428757, "T_0": 1, "T_mult": 2, "eta_min": 1.2071987828968811e-05}');
INSERT INTO public.trial_user_attributes VALUES (36, 6, 'arm', '"restarts"');
INSERT INTO public.trial_user_attributes VALUES (37, 6, 'curve', '{"error": [2.2902422, 2.2768912], "select_error": [2.289758, 2.2926319]}');
INSERT INTO public.trial_user_attributes VALUES (38, 6, 'epochs', '2');
INSERT INTO public.trial_user_attributes VALUES (39, 6, 'seconds', '0.017');
INSERT INTO public.trial_user_attributes VALUES (40, 6, 'seed', '1913236540');
INSERT INTO public.trial_user_attributes VALUES (41, 6, 'worker', '"7cf4f5961ceb"');
INSERT INTO public.trial_user_attributes VALUES (42, 6, 'schedule', '{"base_lr": 0.0018225870674795986, "T_0": 4, "T_mult": 1, "eta_min": 0.00010264946291908986}');
INSERT INTO public.trial_user_attributes VALUES (43, 7, 'arm', '"restarts"');
INSERT INTO public.trial_user_attributes VALUES (44, 7, 'curve', '{"error": [0.046543732, 0.022601515, 0.00078585575, 0.0056890175, 0.0025568295, 0.0015015983], "select_error": [0.046798863, 0.02247197, 0.00079141516, 0.0056571695, 0.0025709432, 0.0015165783]}');
INSERT INTO public.trial_user_attributes VALUES (45, 7, 'epochs', '6');
INSERT INTO public.trial_user_attributes VALUES (46, 7, 'seconds', '0.025');
INSERT INTO public.trial_user_attributes VALUES (47, 7, 'seed', '1582385171');
INSERT INTO public.trial_user_attributes VALUES (48, 7, 'worker', '"7cf4f5961ceb"');
INSERT INTO public.trial_user_attributes VALUES (49, 7, 'schedule', '{"base_lr": 0.6771937416643148, "T_0": 2, "T_mult": 3, "eta_min": 0.00689415159960954}');
INSERT INTO public.trial_user_attributes VALUES (50, 8, 'arm', '"restarts"');
INSERT INTO public.trial_user_attributes VALUES (51, 8, 'curve', '{"error": [0.05340177], "select_error": [0.0534046]}');
INSERT INTO public.trial_user_attributes VALUES (52, 8, 'epochs', '1');
INSERT INTO public.trial_user_attributes VALUES (53, 8, 'seconds', '0.005');
INSERT INTO public.trial_user_attributes VALUES (54, 8, 'seed', '452332968');
INSERT INTO public.trial_user_attributes VALUES (55, 8, 'worker', '"7cf4f5961ceb"');
INSERT INTO public.trial_user_attributes VALUES (56, 8, 'schedule', '{"base_lr": 0.25161561383373887, "T_0": 1, "T_mult": 2, "eta_min": 0.016113513538826212}');
INSERT INTO public.trial_values VALUES (1, 1, 0, 0.008012223988771439, 'FINITE');
INSERT INTO public.trial_values VALUES (2, 2, 0, 0.0017448102589696646, 'FINITE');
INSERT INTO public.trial_values VALUES (3, 3, 0, 4.11501407623291, 'FINITE');
INSERT INTO public.trial_values VALUES (4, 4, 0, 0.9403870105743408, 'FINITE');
INSERT INTO public.trial_values VALUES (5, 5, 0, 1.8993439674377441, 'FINITE');
INSERT INTO public.trial_values VALUES (6, 6, 0, 2.2768912315368652, 'FINITE');
INSERT INTO public.trial_values VALUES (7, 7, 0, 0.0007858557510189712, 'FINITE');
INSERT INTO public.trial_values VALUES (8, 8, 0, 0.05340176820755005, 'FINITE');
INSERT INTO public.trials VALUES (1, 0, 1, 'COMPLETE', '2026-11-29 11:58:43.487869', '2026-11-29 11:58:43.514175');
INSERT INTO public.trials VALUES (2, 1, 1, 'COMPLETE', '2026-11-29 11:58:43.488158', '2026-11-29 11:58:43.514366');
INSERT INTO public.trials VALUES (3, 2, 1, 'PRUNED', '2026-11-29 11:58:43.488473', '2026-11-29 11:58:43.501863');
INSERT INTO public.trials VALUES (4, 3, 1, 'PRUNED', '2026-11-29 11:58:43.488755', '2026-11-29 11:58:43.502178');
INSERT INTO public.trials VALUES (5, 4, 1, 'PRUNED', '2026-11-29 11:58:43.489015', '2026-11-29 11:58:43.502399');
INSERT INTO public.trials VALUES (6, 5, 1, 'PRUNED', '2026-11-29 11:58:43.489265', '2026-11-29 11:58:43.506477');
INSERT INTO public.trials VALUES (7, 6, 1, 'COMPLETE', '2026-11-29 11:58:43.489513', '2026-11-29 11:58:43.514488');
INSERT INTO public.trials VALUES (8, 7, 1, 'PRUNED', '2026-11-29 11:58:43.497957', '2026-11-29 11:58:43.5028');
INSERT INTO public.version_info VALUES (1, 12, '5.0.0');
SELECT pg_catalog.setval('public.studies_study_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_directions_study_direction_id_seq', 1, true);
SELECT pg_catalog.setval('public.study_system_attributes_study_system_attribute_id_seq', 1, false);
SELECT pg_catalog.setval('public.study_user_attributes_study_user_attribute_id_seq', 18, true);
SELECT pg_catalog.setval('public.trial_heartbeats_trial_heartbeat_id_seq', 1, false);
SELECT pg_catalog.setval('public.trial_intermediate_values_trial_intermediate_value_id_seq', 11, true);
SELECT pg_catalog.setval('public.trial_params_param_id_seq', 27, true);
SELECT pg_catalog.setval('public.trial_system_attributes_trial_system_attribute_id_seq', 8, true);
SELECT pg_catalog.setval('public.trial_user_attributes_trial_user_attribute_id_seq', 56, true);
SELECT pg_catalog.setval('public.trial_values_trial_value_id_seq', 8, true);
SELECT pg_catalog.setval('public.trials_trial_id_seq', 8, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.studies
    ADD CONSTRAINT studies_pkey PRIMARY KEY (study_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_pkey PRIMARY KEY (study_direction_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_objective_key UNIQUE (study_id, objective);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_pkey PRIMARY KEY (study_system_attribute_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_pkey PRIMARY KEY (study_user_attribute_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_key_key UNIQUE (study_id, key);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_pkey PRIMARY KEY (trial_heartbeat_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_key UNIQUE (trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_pkey PRIMARY KEY (trial_intermediate_value_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_step_key UNIQUE (trial_id, step);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_pkey PRIMARY KEY (param_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_param_name_key UNIQUE (trial_id, param_name);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_pkey PRIMARY KEY (trial_system_attribute_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_pkey PRIMARY KEY (trial_user_attribute_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_key_key UNIQUE (trial_id, key);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_pkey PRIMARY KEY (trial_value_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_objective_key UNIQUE (trial_id, objective);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_pkey PRIMARY KEY (trial_id);
ALTER TABLE ONLY public.version_info
    ADD CONSTRAINT version_info_pkey PRIMARY KEY (version_info_id);
CREATE UNIQUE INDEX ix_studies_study_name ON public.studies USING btree (study_name);
CREATE INDEX ix_trials_study_id ON public.trials USING btree (study_id);
ALTER TABLE ONLY public.study_directions
    ADD CONSTRAINT study_directions_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_system_attributes
    ADD CONSTRAINT study_system_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.study_user_attributes
    ADD CONSTRAINT study_user_attributes_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
ALTER TABLE ONLY public.trial_heartbeats
    ADD CONSTRAINT trial_heartbeats_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_intermediate_values
    ADD CONSTRAINT trial_intermediate_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_params
    ADD CONSTRAINT trial_params_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_system_attributes
    ADD CONSTRAINT trial_system_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_user_attributes
    ADD CONSTRAINT trial_user_attributes_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trial_values
    ADD CONSTRAINT trial_values_trial_id_fkey FOREIGN KEY (trial_id) REFERENCES public.trials(trial_id);
ALTER TABLE ONLY public.trials
    ADD CONSTRAINT trials_study_id_fkey FOREIGN KEY (study_id) REFERENCES public.studies(study_id);
